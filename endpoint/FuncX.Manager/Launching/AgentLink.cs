using System.IO.Pipelines;
using System.Net.Security;
using System.Text.Json;
using System.Threading.Channels;
using FuncX.Manager.Link;
using FuncX.Wire;

namespace FuncX.Manager.Launching;

/// <summary>The agent's connection to the endpoint: hears how to launch and when to end, says how the worlds do.</summary>
internal sealed class AgentLink(BlockAgent agent, string node) : ILinkUser
{
    private ChannelWriter<(FrameHeader Header, byte[] Body)>? _out;

    public string Role => "agent";

    public string Node => node;

    public async Task ServeAsync(SslStream stream, Hello hello, Action welcomed)
    {
        await using var owned = stream;
        var reader = PipeReader.Create(stream, new StreamPipeReaderOptions(leaveOpen: true));
        var writer = PipeWriter.Create(stream, new StreamPipeWriterOptions(leaveOpen: true));
        var welcome = await LinkGreeting.SayAsync(reader, writer, hello);
        welcomed();
        using var end = new CancellationTokenSource();
        var channel = Channel.CreateUnbounded<(FrameHeader Header, byte[] Body)>(new UnboundedChannelOptions { SingleReader = true });
        Volatile.Write(ref _out, channel.Writer);
        agent.OnWelcome(welcome.Block ?? throw new FrameException("the welcome of an agent has no block in it"));
        var period = TimeSpan.FromMilliseconds(Math.Max(50, welcome.HeartbeatMs));
        var writing = WriteAsync(channel.Reader, writer);
        var beating = BeatAsync(channel.Writer, period, end.Token);
        try
        {
            while (true)
            {
                // A silent endpoint counts as gone after five heartbeats, as on every link.
                var result = await reader.ReadAsync().AsTask().WaitAsync(period * 5);
                var input = result.Buffer;
                while (FrameReader.TryRead(ref input, out var header, out _))
                    Handle(header);
                reader.AdvanceTo(input.Start, result.Buffer.End);
                if (result.IsCompleted)
                    return;
            }
        }
        catch (TimeoutException problem)
        {
            throw new IOException($"heard nothing for {period.TotalSeconds * 5:F1} s", problem);
        }
        finally
        {
            Volatile.Write(ref _out, null);
            channel.Writer.Complete();
            await end.CancelAsync();
            await stream.DisposeAsync();
            await beating;
            await writing;
        }
    }

    /// <summary>Says how the worlds do, if there is somebody to hear it; a new connection is told anyway.</summary>
    public void Say(AgentStatus status) => Volatile.Read(ref _out)?.TryWrite(
        (new FrameHeader { Kind = FrameKind.Status, ContentType = ContentType.Json }, JsonSerializer.SerializeToUtf8Bytes(status, MessageJson.Default.AgentStatus)));

    // Nobody hears of it before the link is back, and then it is past: it is for the log.
    public void Report(string problem) => Console.Error.WriteLine($"funcx-manager --block: {problem}");

    public void End(int code, string reason) => agent.End(code, reason);

    private void Handle(in FrameHeader header)
    {
        switch (header.Kind)
        {
            case FrameKind.Heartbeat:
                break;
            case FrameKind.Drain:
                agent.End(0, "");
                break;
            case FrameKind.Ends:
                agent.OnJobEnds(header.DeadlineMicroseconds);
                break;
            default:
                throw new FrameException($"the endpoint sent a frame of kind {header.Kind} to an agent");
        }
    }

    private static async Task BeatAsync(ChannelWriter<(FrameHeader Header, byte[] Body)> output, TimeSpan period, CancellationToken end)
    {
        using var timer = new PeriodicTimer(period);
        try
        {
            while (await timer.WaitForNextTickAsync(end))
                output.TryWrite((new FrameHeader { Kind = FrameKind.Heartbeat }, []));
        }
        catch (OperationCanceledException)
        {
            // The connection ended.
        }
    }

    private static async Task WriteAsync(ChannelReader<(FrameHeader Header, byte[] Body)> input, PipeWriter writer)
    {
        try
        {
            await foreach (var (header, body) in input.ReadAllAsync())
            {
                FrameWriter.Write(writer, header, body);
                await writer.FlushAsync();
            }
        }
        catch (Exception problem) when (problem is IOException or ObjectDisposedException or InvalidOperationException)
        {
            // The reader sees the same end.
        }
    }
}
