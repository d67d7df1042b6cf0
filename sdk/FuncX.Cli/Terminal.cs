using System.Text;
using Spectre.Console;

namespace FuncX.Cli;

/// <summary>Where a command reads and writes. Standard output carries results only; everything said to a person on the way goes to standard error.</summary>
internal sealed class Terminal
{
    public Terminal(TextWriter output, TextWriter error, TextReader input, bool isInteractive, bool inputIsRedirected, int? width = null)
    {
        Output = output;
        Error = error;
        Input = input;
        IsInteractive = isInteractive;
        InputIsRedirected = inputIsRedirected;
        People = Console(output, isInteractive && !System.Console.IsOutputRedirected, width, AnsiSupport.Detect);
        // Detecting asks about standard output too: with results going to a file there would be no bar. Only what is said to be no screen is none.
        var isScreen = Environment.GetEnvironmentVariable("TERM") is { Length: > 0 } name && name != "dumb";
        Progress = Console(error, isInteractive, width, isScreen ? AnsiSupport.Yes : AnsiSupport.No);
    }

    public TextWriter Output { get; }

    public TextWriter Error { get; }

    public TextReader Input { get; }

    /// <summary>True when standard error is a terminal that a progress bar can be drawn on.</summary>
    public bool IsInteractive { get; }

    public bool InputIsRedirected { get; }

    /// <summary>Tables on standard output.</summary>
    public IAnsiConsole People { get; }

    /// <summary>Bars and questions on standard error.</summary>
    public IAnsiConsole Progress { get; }

    public static Terminal Standard()
    {
        var utf8 = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false);
        var output = new StreamWriter(System.Console.OpenStandardOutput(), utf8, bufferSize: 64 * 1024) { AutoFlush = !System.Console.IsOutputRedirected };
        // Not Console.In, whose ReadLineAsync keeps its caller until a line is there.
        var input = new StreamReader(System.Console.OpenStandardInput(), utf8);
        return new Terminal(output, System.Console.Error, input, !System.Console.IsErrorRedirected, System.Console.IsInputRedirected);
    }

    /// <summary>
    /// The next line, or null at the end. A read of a pipe or a terminal cannot be taken back: when it is cancelled it is left to itself, and the reader is not to be
    /// used any more.
    /// </summary>
    public static async ValueTask<string?> ReadLineAsync(TextReader reader, CancellationToken cancellation)
    {
        var line = reader.ReadLineAsync(cancellation);
        return line.IsCompleted ? await line : await line.AsTask().WaitAsync(cancellation);
    }

    /// <summary>Gives items on, and brings what was printed to whoever reads it before it waits for the next one.</summary>
    public async IAsyncEnumerable<T> FlushingAsync<T>(IAsyncEnumerable<T> items)
    {
        await using var each = items.GetAsyncEnumerator();
        while (true)
        {
            var next = each.MoveNextAsync();
            if (!next.IsCompleted)
                await Output.FlushAsync();
            if (!await next)
                yield break;
            yield return each.Current;
        }
    }

    private static IAnsiConsole Console(TextWriter writer, bool ansi, int? width, AnsiSupport support)
    {
        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Out = new AnsiConsoleOutput(writer),
            Ansi = ansi ? support : AnsiSupport.No,
            ColorSystem = ansi ? ColorSystemSupport.Detect : ColorSystemSupport.NoColors,
            Interactive = ansi ? InteractionSupport.Yes : InteractionSupport.No,
        });
        // A pipe has no width; tables are not to be folded for it.
        if (width is not null || !ansi)
            console.Profile.Width = width ?? 160;
        return console;
    }
}
