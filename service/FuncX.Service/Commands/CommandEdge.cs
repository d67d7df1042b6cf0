using System.CommandLine;
using FuncX.Service.Hosting;
using FuncX.Service.Storage;
using Microsoft.Data.Sqlite;

namespace FuncX.Service.Commands;

/// <summary>Exit codes: 0 done, 1 refused for a reason that the message names, 2 the command line is wrong.</summary>
internal static class CommandEdge
{
    public const int Done = 0;
    public const int Refused = 1;

    /// <summary>The data directory of a command that works on one.</summary>
    public static Option<string> DataDirectory(string description) => new("--data-dir") { Description = description, HelpName = "DIR", Required = true };

    public static async Task<int> RunAsync(Func<Task> action)
    {
        try
        {
            await action();
            return Done;
        }
        catch (ServiceRefusedException problem)
        {
            await Console.Error.WriteLineAsync($"funcx-service: {problem.Message}");
            return Refused;
        }
        catch (Exception problem) when (problem is SqliteException or IOException or UnauthorizedAccessException)
        {
            // The data directory failed under the command: a full disk, a lost mount. There is nothing to learn from a stack.
            await Console.Error.WriteLineAsync($"funcx-service: the data directory cannot be used: {problem.Message}");
            return Refused;
        }
        catch (Exception problem) when (problem is InvalidDataException or ChunkException)
        {
            // Written by another release, or damaged: the message says which file and what about it.
            await Console.Error.WriteLineAsync($"funcx-service: the data directory cannot be read: {problem.Message}");
            return Refused;
        }
    }
}
