using System.Diagnostics;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using FuncX.Contracts.V1;
using FuncX.Service.Hosting;
using FuncX.Service.Limits;
using FuncX.Service.Storage;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit.ServiceFront;

public sealed class ServiceHostingTests
{
    [Fact]
    public async Task A_ready_service_says_where_it_is_and_a_stopped_one_leaves_no_trace_of_it()
    {
        using var directory = new ScratchDirectory();
        var path = Path.Combine(directory.Path, "service.json");
        await using (var running = await RunningService.StartAsync(directory: directory.Path))
        {
            var ready = JsonDocument.Parse(File.ReadAllText(path)).RootElement;
            ready.GetProperty("address").GetString().ShouldBe(running.Address);
            ready.GetProperty("pid").GetInt32().ShouldBe(Environment.ProcessId);
            ready.GetProperty("version").GetString().ShouldNotBeNullOrEmpty();
            File.GetUnixFileMode(path).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
        }

        File.Exists(path).ShouldBeFalse();
        File.Exists(Path.Combine(directory.Path, "service.pid")).ShouldBeFalse();
    }

    [Fact]
    public async Task A_second_service_on_the_same_directory_is_refused_and_the_first_goes_on()
    {
        await using var running = await RunningService.StartAsync();
        var problem = Should.Throw<ServiceRefusedException>(() => ServiceHost.Build(Settings(running.Directory)));
        problem.Message.ShouldContain($"pid {Environment.ProcessId} is active");
        problem.Message.ShouldContain(running.Directory);
        running.RegisterFunction(running.AdminToken);
        File.Exists(Path.Combine(running.Directory, "service.json")).ShouldBeTrue();
    }

    [Fact]
    public void A_new_data_directory_belongs_to_its_owner_alone()
    {
        var path = RunningService.NewDirectory();
        using (DataDirectory.Take(path))
            File.GetUnixFileMode(path).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        Directory.Delete(path, recursive: true);
    }

    [Fact]
    public void A_data_directory_that_others_may_write_is_refused_with_the_command_that_mends_it()
    {
        using var directory = new ScratchDirectory();
        File.SetUnixFileMode(directory.Path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupWrite);
        Should.Throw<ServiceRefusedException>(() => DataDirectory.Take(directory.Path)).Message.ShouldContain($"chmod 700 {directory.Path}");
    }

    [Theory]
    [InlineData("0.0.0.0")]
    [InlineData("192.0.2.1")]
    [InlineData("::")]
    public void Any_address_but_loopback_is_refused_without_a_certificate(string address)
    {
        using var directory = new ScratchDirectory();
        var settings = Settings(directory.Path) with { Listen = new IPEndPoint(IPAddress.Parse(address), 0) };
        Should.Throw<ServiceRefusedException>(() => ServiceHost.Build(settings)).Message.ShouldContain("certificate");
        Directory.EnumerateFileSystemEntries(directory.Path).ShouldBeEmpty();
    }

    [Fact]
    public async Task With_a_certificate_the_service_speaks_tls()
    {
        using var directory = new ScratchDirectory();
        using var certificate = WriteCertificate(directory.Path, out var certificatePath, out var keyPath);
        File.SetUnixFileMode(keyPath, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.OtherRead);
        var settings = Settings(Path.Combine(directory.Path, "data")) with
        {
            Listen = new IPEndPoint(IPAddress.Any, 0),
            Certificate = new CertificateSettings(certificatePath, keyPath, PasswordPath: null),
        };
        await Should.ThrowAsync<ServiceRefusedException>(async () =>
        {
            await using var refused = ServiceHost.Build(settings);
            await refused.StartAsync(CancellationToken.None);
        });
        File.SetUnixFileMode(keyPath, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        await using var host = ServiceHost.Build(settings);
        await host.StartAsync(CancellationToken.None);
        host.Address.ShouldStartWith("https://");
        using var channel = GrpcChannel.ForAddress($"https://127.0.0.1:{new Uri(host.Address).Port}", new GrpcChannelOptions
        {
            HttpHandler = new SocketsHttpHandler
            {
                SslOptions = { RemoteCertificateValidationCallback = (_, seen, _, _) => seen!.GetCertHashString() == certificate.GetCertHashString() },
            },
        });
        var token = File.ReadAllText(Path.Combine(directory.Path, "data", "admin.token")).Trim();
        new Functions.FunctionsClient(channel).List(new ListFunctionsRequest(), RunningService.Bearer(token)).Functions.ShouldBeEmpty();
        await host.StopAsync();
    }

    [Fact]
    public async Task A_port_that_is_taken_is_refused_by_its_number()
    {
        await using var running = await RunningService.StartAsync();
        using var directory = new ScratchDirectory();
        var port = new Uri(running.Address).Port;
        await using var second = ServiceHost.Build(Settings(directory.Path) with { Listen = new IPEndPoint(IPAddress.Loopback, port) });
        var problem = await Should.ThrowAsync<ServiceRefusedException>(() => second.StartAsync(CancellationToken.None));
        problem.Message.ShouldContain($"127.0.0.1:{port}");
    }

    [Fact]
    public async Task Tasks_of_an_endpoint_whose_deletion_was_cut_short_end_at_the_next_start()
    {
        using var directory = new ScratchDirectory();
        byte[] batch = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
        await using (var running = await RunningService.StartAsync(directory: directory.Path))
        {
            var headers = RunningService.Bearer(running.AdminToken);
            var function = running.RegisterFunction(running.AdminToken);
            var endpoint = running.Endpoints.Register(new RegisterEndpointRequest { Name = "here" }, headers);
            new FuncX.Contracts.V1.Tasks.TasksClient(running.Channel).Submit(new SubmitRequest
            {
                BatchId = Google.Protobuf.ByteString.CopyFrom(batch),
                FunctionId = function.FunctionId,
                EndpointId = endpoint.EndpointId,
                Group = "group",
                ContentType = 1,
                Lengths = { 3 },
                Bodies = Google.Protobuf.ByteString.CopyFromUtf8("[1]"),
            }, headers);
            running.Endpoints.Get(new GetEndpointRequest { Endpoint = "here" }, headers).Queued.ShouldBe(1);
        }

        using (var connection = Service.Registry.RegistryDatabase.Open(directory.Path).Connect())
        using (var command = connection.CreateCommand())
        {
            command.CommandText = "UPDATE endpoints SET deleted_at = 1";
            command.ExecuteNonQuery().ShouldBe(1);
        }

        await using (var running = await RunningService.StartAsync(directory: directory.Path))
        {
            var task = new FuncX.Contracts.V1.Tasks.TasksClient(running.Channel).Get(
                new GetTaskRequest { TaskId = $"{Convert.ToHexStringLower(batch)}-0" }, RunningService.Bearer(running.AdminToken));
            task.State.ShouldBe(TaskState.Done);
            task.Outcome.ShouldBe(Outcome.Cancelled);
        }
    }

    [Fact]
    public async Task A_request_above_the_limit_is_refused()
    {
        await using var running = await RunningService.StartAsync(new ServiceLimits { RequestBytes = 1 << 20, CodeBytes = 1 << 20 });
        var problem = Should.Throw<RpcException>(() => running.RegisterFunction(running.AdminToken, code: new string('#', 2 << 20)));
        problem.StatusCode.ShouldBe(StatusCode.ResourceExhausted);
    }

    [Theory]
    [InlineData("127.0.0.1:7400", "127.0.0.1:7400")]
    [InlineData("localhost:0", "127.0.0.1:0")]
    [InlineData("[::1]:80", "[::1]:80")]
    [InlineData("0.0.0.0:443", "0.0.0.0:443")]
    [InlineData("127.0.0.1", null)]
    [InlineData("::1:80", null)]
    [InlineData("[::1]", null)]
    [InlineData("example.org:80", null)]
    [InlineData("127.0.0.1:70000", null)]
    [InlineData(":80", null)]
    [InlineData("", null)]
    public void Listen_addresses_are_read(string text, string? expected)
    {
        ListenAddress.TryParse(text, out var address).ShouldBe(expected is not null);
        if (expected is not null)
            address!.ToString().ShouldBe(expected);
    }

    [Fact]
    public void A_configuration_file_gives_address_certificate_and_limits()
    {
        var configuration = ServiceConfiguration.Parse("service.yaml",
            """
            listen: 0.0.0.0:7443
            data_dir: /var/lib/funcx
            certificate: {path: /etc/funcx/fullchain.pem, key: /etc/funcx/key.pem}
            limits:
              payload_bytes: 1MiB
              result_retention: 2d
              queue_per_user: 1000
            """).Value.ShouldNotBeNull();
        configuration.Listen!.ToString().ShouldBe("0.0.0.0:7443");
        configuration.DataDirectory.ShouldBe("/var/lib/funcx");
        configuration.Certificate.ShouldBe(new CertificateSettings("/etc/funcx/fullchain.pem", "/etc/funcx/key.pem", PasswordPath: null));
        configuration.Limits.ShouldBe(new ServiceLimits { PayloadBytes = 1 << 20, ResultRetention = TimeSpan.FromDays(2), QueuePerUser = 1_000 });
    }

    [Fact]
    public void The_example_in_the_readme_is_valid_and_shows_the_defaults()
    {
        var root = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(root, "FuncX.sln")))
            root = Path.GetDirectoryName(root)!;
        var readme = File.ReadAllText(Path.Combine(root, "service", "README.md"));
        var begin = readme.IndexOf("```yaml\n", StringComparison.Ordinal) + "```yaml\n".Length;
        var result = ServiceConfiguration.Parse("README.md", readme[begin..readme.IndexOf("```", begin, StringComparison.Ordinal)]);
        result.Errors.ShouldBeEmpty();
        result.Value!.Limits.ShouldBe(new ServiceLimits());
    }

    [Fact]
    public void All_errors_of_a_configuration_file_come_at_once_with_their_places()
    {
        var errors = ServiceConfiguration.Parse("service.yaml",
            """
            listen: example.org:7443
            data_dirr: /var/lib/funcx
            limits:
              payload_bytes: 64MiB
              batch_tasks: many
            """).Errors;
        errors.Select(error => (error.Line, error.Column)).ShouldBe([(1, 9), (2, 1), (4, 18), (5, 16)]);
        errors[2].Message.ShouldContain("batch_bytes");
    }

    [Theory]
    [InlineData("payload_bytes: 60MiB, batch_bytes: 64MiB, request_bytes: 128MiB", "expected at most 50331648, since clients take messages of 64 MiB")]
    [InlineData("batch_bytes: 64MiB", "'limits.request_bytes' is 67108864, expected at least ")]
    [InlineData("batch_bytes: 1GiB", "batch_bytes")]
    public void Limits_that_contradict_each_other_are_refused(string limits, string words) =>
        ServiceConfiguration.Parse("service.yaml", $"limits: {{{limits}}}").Errors.ShouldContain(error => error.Message.Contains(words, StringComparison.Ordinal));

    [Fact]
    public async Task The_program_lists_and_revokes_tokens()
    {
        using var directory = new ScratchDirectory();
        await using var running = await RunningService.StartAsync(directory: directory.Path);
        var (text, id) = running.CreateToken("ann");
        (await RunAsync("token", "list", "--data-dir", directory.Path)).Output.ShouldContain(id);
        (await RunAsync("token", "revoke", "--data-dir", directory.Path, id)).ShouldBe((0, $"token {id} of user 'ann' is revoked\n", ""));
        (await RunAsync("token", "revoke", "--data-dir", directory.Path, id)).Output.ShouldStartWith($"token {id} of user 'ann' was revoked before, at ");
        var (code, _, error) = await RunAsync("token", "revoke", "--data-dir", directory.Path, "nobodys");
        code.ShouldBe(1);
        error.ShouldContain("there is no token 'nobodys' in this data directory");
        var listed = (await RunAsync("token", "list", "--data-dir", directory.Path)).Output;
        listed.ShouldNotContain(id);
        listed.ShouldContain("admin");
        var all = (await RunAsync("token", "list", "--data-dir", directory.Path, "--all")).Output;
        all.Split('\n').ShouldContain(line => line.StartsWith(id, StringComparison.Ordinal) && line.Contains("by the service's administrator", StringComparison.Ordinal));
        all.ShouldNotContain(text);
    }

    [Fact]
    public async Task The_program_starts_stops_on_sigterm_and_refuses_what_is_wrong()
    {
        using var directory = new ScratchDirectory();
        var data = Path.Combine(directory.Path, "data");
        using var service = Start("--data-dir", data);
        var ready = Path.Combine(data, "service.json");
        await Eventually(() => File.Exists(ready), service);
        using (var second = Start("start", "--data-dir", data))
        {
            (await second.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken)).ShouldContain($"pid {service.Id} is active");
            await second.WaitForExitAsync(TestContext.Current.CancellationToken);
            second.ExitCode.ShouldBe(1);
        }

        using (var create = Start("token", "create", "--data-dir", data, "--user", "ann", "--expires", "1h"))
        {
            var token = (await create.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken)).Trim();
            using var channel = GrpcChannel.ForAddress(JsonDocument.Parse(File.ReadAllText(ready)).RootElement.GetProperty("address").GetString()!);
            new Functions.FunctionsClient(channel).List(new ListFunctionsRequest(), RunningService.Bearer(token)).Functions.ShouldBeEmpty();
        }

        using (var kill = Process.Start("kill", ["-TERM", $"{service.Id}"]))
            await kill.WaitForExitAsync(TestContext.Current.CancellationToken);
        await service.WaitForExitAsync(TestContext.Current.CancellationToken).WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);
        service.ExitCode.ShouldBe(0);
        File.Exists(ready).ShouldBeFalse();
        var output = await service.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        output.ShouldContain("journal_mode WAL, synchronous FULL");
        output.ShouldNotContain("fxt_");
        foreach (var path in Directory.EnumerateFiles(data))
            (File.GetUnixFileMode(path) & ~(UnixFileMode.UserRead | UnixFileMode.UserWrite)).ShouldBe(UnixFileMode.None, path);
    }

    [Fact]
    public async Task An_address_that_is_not_this_machines_is_refused_by_name()
    {
        using var directory = new ScratchDirectory();
        using var certificate = WriteCertificate(directory.Path, out var certificatePath, out var keyPath);
        var settings = Settings(Path.Combine(directory.Path, "data")) with
        {
            Listen = new IPEndPoint(IPAddress.Parse("192.0.2.7"), 0),
            Certificate = new CertificateSettings(certificatePath, keyPath, PasswordPath: null),
        };
        await using var host = ServiceHost.Build(settings);
        (await Should.ThrowAsync<ServiceRefusedException>(() => host.StartAsync(CancellationToken.None))).Message.ShouldStartWith("the service cannot listen on 192.0.2.7:0: ");
    }

    [Theory]
    [InlineData("PRAGMA user_version=99", "has schema 99; this release knows schemas up to")]
    [InlineData("INSERT INTO chunk(id, data) VALUES(1, zeroblob(100))", "chunk 1 does not begin with the mark of a chunk")]
    public async Task A_data_directory_that_cannot_be_read_ends_the_start_with_the_reason_and_no_stack(string change, string reason)
    {
        using var directory = new ScratchDirectory();
        TaskStore.Open(directory.Path, logBytes: 1 << 20).Dispose();
        using (var connection = new SqliteConnection($"Data Source={Path.Combine(directory.Path, "tasks.db")};Pooling=False"))
        {
            connection.Open();
            using var command = connection.CreateCommand();
            command.CommandText = change;
            command.ExecuteNonQuery();
        }

        using var service = Start("--data-dir", directory.Path);
        var said = await service.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await service.WaitForExitAsync(TestContext.Current.CancellationToken);
        service.ExitCode.ShouldBe(1);
        said.ShouldContain(reason);
        said.ShouldNotContain("   at ");
    }

    private static X509Certificate2 WriteCertificate(string directory, out string certificatePath, out string keyPath)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256);
        var certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddHours(-1), DateTimeOffset.UtcNow.AddHours(1));
        (certificatePath, keyPath) = (Path.Combine(directory, "certificate.pem"), Path.Combine(directory, "key.pem"));
        File.WriteAllText(certificatePath, certificate.ExportCertificatePem());
        File.WriteAllText(keyPath, key.ExportPkcs8PrivateKeyPem());
        File.SetUnixFileMode(keyPath, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        return certificate;
    }

    private static async Task<(int Code, string Output, string Error)> RunAsync(params string[] arguments)
    {
        using var process = Start(arguments);
        var error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        var output = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return (process.ExitCode, output, await error);
    }

    private static Process Start(params string[] arguments)
    {
        // .../bin/CONFIGURATION/net10.0/ is where the tests lie too.
        var configuration = Path.GetFileName(Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "..")));
        var program = Path.Combine(ConfigurationScratch.Repository("service/FuncX.Service/bin"), configuration, "net10.0", "funcx-service");
        return Process.Start(new ProcessStartInfo(program, arguments) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true })!;
    }

    private static async Task Eventually(Func<bool> condition, Process process)
    {
        var began = Stopwatch.GetTimestamp();
        while (!condition())
        {
            process.HasExited.ShouldBeFalse();
            Stopwatch.GetElapsedTime(began).ShouldBeLessThan(TimeSpan.FromSeconds(20));
            await Task.Delay(20, TestContext.Current.CancellationToken);
        }
    }

    private static ServiceSettings Settings(string directory) => new(directory, new ServiceLimits()) { LogLevel = LogLevel.None };
}
