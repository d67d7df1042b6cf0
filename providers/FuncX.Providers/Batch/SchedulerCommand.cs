namespace FuncX.Providers.Batch;

/// <summary>A scheduler's command: a program found in PATH and its arguments, which no shell reads.</summary>
public sealed record SchedulerCommand(string Program, params IReadOnlyList<string> Arguments)
{
    /// <summary>As a person would have typed it, for messages.</summary>
    public override string ToString() => string.Join(' ', [Program, .. Arguments.Select(ShellText.QuoteIfNeeded)]);
}
