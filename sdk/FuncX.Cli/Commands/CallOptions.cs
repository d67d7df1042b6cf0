using System.CommandLine;
using System.Globalization;
using FuncX.Client;

namespace FuncX.Cli.Commands;

/// <summary>Function, endpoint and the settings of a call, which <c>run</c> and <c>map</c> share.</summary>
internal sealed class CallOptions
{
    public Argument<string> Function { get; } = new("function") { Description = "A function's id, the first 8 or more digits of it, or its name." };

    public Argument<string> Endpoint { get; } = new("endpoint") { Description = "An endpoint's id or name." };

    public Option<string?> Walltime { get; } = new("--walltime") { Description = "Longest run of one attempt: 500ms, 30s, 45m, 2h or HH:MM:SS.", HelpName = "time" };

    public Option<byte> Priority { get; } = new("--priority") { Description = "0 to 255; higher runs first among your calls." };

    public Option<int> MaxAttempts { get; } = new("--max-attempts") { Description = "Lost executions (worker, manager or block ended) that end a task; 0: the service's default. 1 is at most once." };

    public Option<string?> Group { get; } = new("--group") { Description = "Group of these calls, 1 to 64 characters; a new one when left out.", HelpName = "name" };

    public void AddTo(Command command)
    {
        command.Add(Function);
        command.Add(Endpoint);
        command.Add(Walltime);
        command.Add(Priority);
        command.Add(MaxAttempts);
        command.Add(Group);
    }

    public CallSettings Settings(Invocation invocation) => new()
    {
        Walltime = invocation.Parsed.GetValue(Walltime) is { } text ? ParseTime(text) : null,
        Priority = invocation.Parsed.GetValue(Priority),
        MaxAttempts = invocation.Parsed.GetValue(MaxAttempts),
    };

    /// <summary>What the user named, as the service knows it.</summary>
    public async Task<(FunctionId Function, EndpointId Endpoint)> ResolveAsync(Invocation invocation, FuncXClient client, CancellationToken cancellation)
    {
        var function = await client.Functions.GetAsync(invocation.Parsed.GetRequiredValue(Function), withCode: false, cancellation);
        var endpoint = await client.Endpoints.GetAsync(invocation.Parsed.GetRequiredValue(Endpoint), cancellation);
        if (!endpoint.Online)
            await invocation.Terminal.Error.WriteLineAsync($"funcx: endpoint {endpoint.Name} is offline; the service keeps the calls until it is back.");
        return (function, endpoint);
    }

    internal static TimeSpan ParseTime(string text)
    {
        (string Suffix, double Seconds)[] units = [("ms", 1e-3), ("s", 1), ("m", 60), ("h", 3600)];
        foreach (var (suffix, seconds) in units)
        {
            if (text.EndsWith(suffix, StringComparison.Ordinal)
                && double.TryParse(text.AsSpan(0, text.Length - suffix.Length), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number) && number > 0)
                return TimeSpan.FromSeconds(number * seconds);
        }

        return TimeSpan.TryParseExact(text, @"hh\:mm\:ss", CultureInfo.InvariantCulture, out var time) && time > TimeSpan.Zero
            ? time
            : throw new UsageException($"'{text}' is no walltime; write 500ms, 30s, 45m, 2h or HH:MM:SS.");
    }
}
