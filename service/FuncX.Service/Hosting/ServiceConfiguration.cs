using System.Net;
using FuncX.Configuration;
using FuncX.Service.Limits;
using ConfigurationSection = FuncX.Configuration.ConfigurationSection;

namespace FuncX.Service.Hosting;

/// <summary><c>service.yaml</c>. Every key may be left out; service/README.md lists them.</summary>
public sealed record ServiceConfiguration
{
    private const long Least = 1L << 10;

    /// <summary>A batch is one row of a group commit, of which SQLite takes 1 GB.</summary>
    private const long Most = 256L << 20;

    /// <summary>Who asks what was submitted gets the arguments of a task in one message, and clients take messages of 64 MiB.</summary>
    private const int MostPayload = 48 << 20;

    /// <summary>What a submission has beside arguments and their lengths.</summary>
    private const int Envelope = 64 << 10;

    private const int LengthBytes = 5;

    public IPEndPoint? Listen { get; private init; }

    public string? DataDirectory { get; private init; }

    public CertificateSettings? Certificate { get; private init; }

    public ServiceLimits Limits { get; private init; } = new();

    public TelemetryConfiguration Telemetry { get; private init; } = new();

    public LogsConfiguration Logs { get; private init; } = new();

    /// <exception cref="ServiceRefusedException">The file has errors; the message lists all of them with line and column.</exception>
    public static ServiceConfiguration Read(string path)
    {
        if (!File.Exists(path))
            throw new ServiceRefusedException($"{path} does not exist; --config names it. service/README.md shows what such a file holds.");
        var result = ConfigurationFile.Read(path, canRunCode: false, Bind);
        return result.Value ?? throw new ServiceRefusedException($"{path} is not valid:\n{string.Join('\n', result.Errors)}");
    }

    /// <summary>Reads a text; <paramref name="file"/> is the name that errors carry.</summary>
    public static ConfigurationResult<ServiceConfiguration> Parse(string file, string text) => ConfigurationFile.Parse(file, text, Bind);

    private static ServiceConfiguration Bind(ConfigurationSection root)
    {
        IPEndPoint? address = null;
        root.OptionalText("listen", 100, text => ListenAddress.TryParse(text, out address) ? null : $"is '{text}'; expected {ListenAddress.Shape}");
        return new ServiceConfiguration
        {
            Listen = address,
            DataDirectory = root.OptionalPath("data_dir"),
            Certificate = root.Has("certificate") ? BindCertificate(root.Section("certificate")) : null,
            Limits = BindLimits(root.Section("limits"), new ServiceLimits()),
            Telemetry = ObservationBinding.Telemetry(root.Section("telemetry"), ofService: true),
            Logs = ObservationBinding.Logs(root.Section("logs"), ofService: true),
        };
    }

    private static CertificateSettings BindCertificate(ConfigurationSection section) =>
        new(section.RequiredPath("path", "/etc/funcx/fullchain.pem"), section.OptionalPath("key"), section.OptionalPath("password_file"));

    private static ServiceLimits BindLimits(ConfigurationSection section, ServiceLimits standard)
    {
        var limits = new ServiceLimits
        {
            PayloadBytes = (int)section.Size("payload_bytes", standard.PayloadBytes, Least, Most),
            ResultBytes = (int)section.Size("result_bytes", standard.ResultBytes, Least, Most),
            BatchTasks = section.Integer("batch_tasks", standard.BatchTasks, 1, 1_000_000),
            BatchBytes = (int)section.Size("batch_bytes", standard.BatchBytes, Least, Most),
            QueuePerEndpoint = section.Integer("queue_per_endpoint", (int)standard.QueuePerEndpoint, 1, int.MaxValue),
            QueuePerUser = section.Integer("queue_per_user", (int)standard.QueuePerUser, 1, int.MaxValue),
            MaxAttempts = section.Integer("max_attempts", standard.MaxAttempts, 1, 1_000),
            MostAttempts = section.Integer("most_attempts", standard.MostAttempts, 1, 1_000),
            ResultRetention = section.Duration("result_retention", standard.ResultRetention, TimeSpan.FromSeconds(10), TimeSpan.FromDays(3_650)),
            RequestBytes = (int)section.Size("request_bytes", standard.RequestBytes, 1L << 20, Most),
            RequestsPerSecond = section.Integer("requests_per_second", standard.RequestsPerSecond, 0, 10_000_000),
            StreamsPerUser = section.Integer("streams_per_user", standard.StreamsPerUser, 1, 1_000_000),
            FunctionsPerUser = section.Integer("functions_per_user", standard.FunctionsPerUser, 1, 10_000_000),
            CodeBytes = (int)section.Size("code_bytes", standard.CodeBytes, Least, Most),
            ContainersPerUser = section.Integer("containers_per_user", standard.ContainersPerUser, 1, 1_000_000),
            EndpointsPerUser = section.Integer("endpoints_per_user", standard.EndpointsPerUser, 1, 1_000_000),
        };
        RequireAtMost(section, "payload_bytes", limits.PayloadBytes, "batch_bytes", limits.BatchBytes);
        if (limits.PayloadBytes <= limits.BatchBytes && limits.PayloadBytes > MostPayload)
            section.Error("payload_bytes", $"'limits.payload_bytes' is {limits.PayloadBytes}; expected at most {MostPayload}, since clients take messages of 64 MiB");
        var message = limits.BatchBytes + ((long)limits.BatchTasks * LengthBytes) + Envelope;
        if (message > limits.RequestBytes)
            section.Error("batch_bytes", $"a batch of 'limits.batch_tasks' and 'limits.batch_bytes' is a message of {message} bytes; 'limits.request_bytes' is {limits.RequestBytes}, expected at least {message}");
        RequireAtMost(section, "code_bytes", limits.CodeBytes, "request_bytes", limits.RequestBytes);
        RequireAtMost(section, "max_attempts", limits.MaxAttempts, "most_attempts", limits.MostAttempts);
        return limits;
    }

    private static void RequireAtMost(ConfigurationSection section, string key, int value, string otherKey, int other)
    {
        if (value > other)
            section.Error(key, $"'limits.{key}' is {value}, more than 'limits.{otherKey}', which is {other}; expected at most {other}");
    }
}
