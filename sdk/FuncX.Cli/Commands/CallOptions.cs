using System.CommandLine;
using System.Globalization;
using FuncX.Client;
using FuncX.Contracts.V1;
using FuncX.Wire;

namespace FuncX.Cli.Commands;

/// <summary>Function, endpoint and the settings of a call, which <c>run</c> and <c>map</c> share.</summary>
internal sealed class CallOptions
{
    private const int GroupCharacters = 64;
    private const string WalltimeRange = "1ms to 1193h";

    // The contract counts milliseconds in 32 bits: 49.7 days.
    private const double ShortestSeconds = 1e-3;
    private const double LongestSeconds = 1193 * 3600;

    public Argument<string> Function { get; } = new("function") { Description = "A function's id, the first 8 or more digits of it, or its name." };

    public Argument<string> Endpoint { get; } = new("endpoint") { Description = "An endpoint's id or name." };

    public Option<string?> Walltime { get; } = new("--walltime") { Description = $"Longest run of one attempt: 500ms, 30s, 45m, 2h or HH:MM:SS; {WalltimeRange}.", HelpName = "time" };

    public Option<byte> Priority { get; } = WholeNumber.Option<byte>("--priority", "Higher runs first among your calls", 0, 255, 0);

    public Option<int> MaxAttempts { get; } = WholeNumber.Option(
        "--max-attempts", "Lost executions (worker, manager or block ended) that end a task, 1: at most once, 0: the service's default", 0, 1_000, 0);

    public Option<int> Retries { get; } = WholeNumber.Option("--retries", "How often a call whose function fails is made again", 0, 1_000, 0);

    public Option<string[]> RetryOn { get; } = new("--retry-on")
    {
        Description = "Only for this type of exception, as ValueError; TimedOut is a walltime that was too short. May be repeated.", HelpName = "type", Arity = ArgumentArity.ZeroOrMore,
    };

    public Option<string?> RetryBackoff { get; } = new("--retry-backoff") { Description = "Pause before the first retry, twice as long before each further one: 500ms, 30s, 2m.", HelpName = "time" };

    public Option<string[]> After { get; } = new("--after")
    {
        Description = "Run after this task, or after all of this batch, of the same --group; if one fails these calls end as rejected. May be repeated.", HelpName = "task|batch", Arity = ArgumentArity.ZeroOrMore,
    };

    public Option<string[]> Labels { get; } = LabelOption.Of("Label of the calls' group, as campaign=spring. May be repeated.", "key=value");

    public Option<string?> Group { get; } = GroupOption("--group", "Group of these calls");

    public static Option<string?> GroupOption(string option, string description)
    {
        var group = new Option<string?>(option) { Description = $"{description}, 1 to {GroupCharacters} characters; a new one when left out.", HelpName = "name" };
        group.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<string?>() is { Length: 0 or > GroupCharacters } name)
                result.AddError($"{option} takes 1 to {GroupCharacters} characters, not {name.Length}.");
        });
        return group;
    }

    public void AddTo(Command command)
    {
        command.Add(Function);
        command.Add(Endpoint);
        command.Add(Walltime);
        command.Add(Priority);
        command.Add(MaxAttempts);
        command.Add(Retries);
        command.Add(RetryOn);
        command.Add(RetryBackoff);
        command.Add(After);
        command.Add(Group);
        command.Add(Labels);
    }

    public CallSettings Settings(Invocation invocation) => new()
    {
        Walltime = invocation.Parsed.GetValue(Walltime) is { } text ? ParseTime(text) : null,
        Priority = invocation.Parsed.GetValue(Priority),
        MaxAttempts = invocation.Parsed.GetValue(MaxAttempts),
        Retry = RetryOf(invocation),
        After = [.. AfterOf(invocation).Where(static name => name.Contains('-', StringComparison.Ordinal)).Select(TaskCommands.Parse)],
        AfterBatches = [.. AfterOf(invocation).Where(static name => !name.Contains('-', StringComparison.Ordinal)).Select(ParseBatch)],
        Labels = LabelOption.Read("--label", invocation.Parsed.GetValue(Labels) ?? []),
    };

    private string[] AfterOf(Invocation invocation)
    {
        var after = invocation.Parsed.GetValue(After) ?? [];
        if (after.Length > 0 && invocation.Parsed.GetValue(Group) is null)
            throw new UsageException("--after wants --group: only tasks of the same group can be waited for, and a new group has none.");
        return after;
    }

    private static BatchId ParseBatch(string text) => BatchId.TryParse(text, out var id)
        ? id
        : throw new UsageException($"'{text}' is neither a task's id nor a batch's; a batch's is 24 hexadecimal digits, a task's has a hyphen and a number behind them.");

    private RetrySettings? RetryOf(Invocation invocation)
    {
        var (times, on, backoff) = (invocation.Parsed.GetValue(Retries), invocation.Parsed.GetValue(RetryOn) ?? [], invocation.Parsed.GetValue(RetryBackoff));
        if (times == 0 && (on.Length > 0 || backoff is not null))
            throw new UsageException("--retry-on and --retry-backoff want --retries: how often a call may be made again.");
        return times == 0 ? null : new RetrySettings(times) { On = on, Backoff = backoff is null ? TimeSpan.Zero : ParseTime(backoff) };
    }

    /// <summary>What the user named, as the service knows it.</summary>
    public async Task<(FunctionInfo Function, EndpointId Endpoint)> ResolveAsync(Invocation invocation, FuncXClient client, CancellationToken cancellation)
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
                && double.TryParse(text.AsSpan(0, text.Length - suffix.Length), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number))
                return InRange(text, number * seconds);
        }

        return TimeSpan.TryParseExact(text, @"hh\:mm\:ss", CultureInfo.InvariantCulture, out var time)
            ? InRange(text, time.TotalSeconds)
            : throw new UsageException($"'{text}' is no walltime; write 500ms, 30s, 45m, 2h or HH:MM:SS.");
    }

    private static TimeSpan InRange(string text, double seconds) => seconds is >= ShortestSeconds and <= LongestSeconds
        ? TimeSpan.FromSeconds(seconds)
        : throw new UsageException($"--walltime takes {WalltimeRange}, not '{text}'.");
}
