using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using FuncX.Client;

namespace FuncX.Cli.Commands;

/// <summary>
/// The arguments of a map, a line each. A line that is not JSON ends them as if it were the last: an exception would end the map, and the values of the calls
/// before it, which run anyway, would never be printed.
/// </summary>
internal sealed class ArgumentLines(TextReader reader, string name)
{
    /// <summary>What was wrong with the line at which reading ended; null: with none.</summary>
    public UsageException? Problem { get; private set; }

    public async IAsyncEnumerable<CallArguments> ReadAsync([EnumeratorCancellation] CancellationToken cancellation)
    {
        for (var number = 1L; await Terminal.ReadLineAsync(reader, cancellation) is { } line; number++)
        {
            if (string.IsNullOrWhiteSpace(line))
                continue;
            if (Parse(line, number) is not { } arguments)
                yield break;
            yield return arguments;
        }
    }

    private CallArguments? Parse(string line, long number)
    {
        var bytes = Encoding.UTF8.GetBytes(line.Trim());
        try
        {
            return CallArguments.FromJson(bytes);
        }
        catch (FormatException problem) when (problem.InnerException is JsonException)
        {
            Problem = new UsageException($"Line {number} of {name} is not JSON: {problem.InnerException.Message} Neither it nor any line after it was called.");
            return null;
        }
        catch (FormatException)
        {
            // JSON, but no list of arguments: the value itself is the only one.
            return CallArguments.FromJson((byte[])[(byte)'[', .. bytes, (byte)']']);
        }
    }
}
