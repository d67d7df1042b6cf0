using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Threading.Channels;
using FuncX.Configuration;

namespace FuncX.Endpoint.Dispatch;

/// <summary>
/// <c>state_dir/executions.jsonl</c>: which user's which function ran in which job, for whoever has to answer that later. Lines are appended and never changed; the file is opened for each
/// write, so that it may be renamed away at any time. What cannot be written waits, up to a bound, and is in the counts of later lines.
/// </summary>
public sealed partial class ExecutionLog(EndpointConfiguration configuration, ILogger<ExecutionLog> logger) : BackgroundService
{
    private const int MostWaiting = 10_000;

    private static readonly TimeSpan s_again = TimeSpan.FromSeconds(5);

    // Read by people and other programs, not put into a page.
    private static readonly JsonSerializerOptions s_json = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly Channel<ExecutionEntry> _entries = Channel.CreateBounded<ExecutionEntry>(new BoundedChannelOptions(MostWaiting) { SingleReader = true, FullMode = BoundedChannelFullMode.DropWrite });
    private string _problem = "";
    private volatile bool _stopping;

    public static string PathIn(string stateDirectory) => Path.Combine(stateDirectory, "executions.jsonl");

    public void Add(ExecutionEntry entry) => _entries.Writer.TryWrite(entry);

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        // What the last blocks ran is still written.
        _stopping = true;
        _entries.Writer.TryComplete();
        if (ExecuteTask is { } writing)
            await writing.WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await base.StopAsync(cancellationToken);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (await _entries.Reader.WaitToReadAsync(CancellationToken.None))
        {
            var lines = new StringBuilder();
            while (_entries.Reader.TryRead(out var entry))
                lines.Append(JsonSerializer.Serialize(entry, s_json)).Append('\n');
            while (!TryWrite(lines.ToString()) && !_stopping)
                await Task.Delay(s_again, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private bool TryWrite(string lines)
    {
        try
        {
            using var file = new FileStream(PathIn(configuration.StateDirectory), new FileStreamOptions { Mode = FileMode.Append, Access = FileAccess.Write, Share = FileShare.ReadWrite, UnixCreateMode = FileModes.PrivateFile });
            Append(file, Encoding.UTF8.GetBytes(lines));
            _problem = "";
            return true;
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            if (_problem != problem.Message)
                LogUnwritten(problem.Message);
            _problem = problem.Message;
            return false;
        }
    }

    // Whole or not at all: a full disk may take a part.
    private static void Append(FileStream file, byte[] lines)
    {
        var before = file.Length;
        try
        {
            file.Write(lines);
            file.Flush();
        }
        catch (IOException)
        {
            file.SetLength(before);
            throw;
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "the log of who ran what cannot be written, which is tried again: {Reason}")]
    private partial void LogUnwritten(string reason);
}

/// <summary>One line.</summary>
/// <param name="Time">When it was told.</param>
/// <param name="Block">Where it ran.</param>
/// <param name="Job">The block's job, as its scheduler calls it.</param>
/// <param name="Owner">Who called it.</param>
/// <param name="Function">Its id.</param>
/// <param name="Name">What its owner calls it.</param>
/// <param name="Tasks">How many were handed to the block's managers so far, repeated attempts among them.</param>
/// <param name="Last">The block is over: this is the final number.</param>
public sealed record ExecutionEntry(DateTimeOffset Time, string Block, string Job, string Owner, string Function, string Name, long Tasks, bool Last);
