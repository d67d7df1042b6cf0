using System.Buffers;
using System.IO.Pipelines;
using System.Text.Json;
using FuncX.Wire;

namespace FuncX.Manager.Link;

/// <summary>Hello and its answer, with which a connection to the endpoint begins.</summary>
internal static class LinkGreeting
{
    /// <summary>How long the answer may take.</summary>
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(15);

    /// <summary>Says hello and waits for the answer.</summary>
    /// <exception cref="LinkRefusedException">The endpoint does not want this manager.</exception>
    public static async Task<Welcome> SayAsync(PipeReader reader, PipeWriter writer, Hello hello)
    {
        using var timeout = new CancellationTokenSource(Limit);
        FrameWriter.Write(writer, new FrameHeader { Kind = FrameKind.Hello }, Body(hello));
        await writer.FlushAsync(timeout.Token);
        while (true)
        {
            var result = await reader.ReadAsync(timeout.Token);
            var input = result.Buffer;
            if (FrameReader.TryRead(ref input, out var header, out var frame))
            {
                var body = new byte[header.BodyLength];
                frame.Slice(FrameHeader.Size).CopyTo(body);
                reader.AdvanceTo(input.Start);
                return Read(header.Kind, body);
            }

            reader.AdvanceTo(result.Buffer.Start, result.Buffer.End);
            if (result.IsCompleted)
                throw new IOException("the endpoint closed the connection without an answer to the hello");
        }
    }

    public static byte[] Body(Hello hello) => JsonSerializer.SerializeToUtf8Bytes(hello, MessageJson.Default.Hello);

    /// <summary>The answer to a hello.</summary>
    /// <exception cref="LinkRefusedException">It is a refusal, or speaks another protocol.</exception>
    /// <exception cref="FrameException">It is none.</exception>
    public static Welcome Read(FrameKind kind, ReadOnlySpan<byte> body) => kind switch
    {
        FrameKind.Welcome => Agree(MessageBody.Read(kind, body, MessageJson.Default.Welcome)),
        FrameKind.Refused => throw new LinkRefusedException(MessageBody.Read(kind, body, MessageJson.Default.Refusal).Reason),
        _ => throw new FrameException($"the endpoint answered the hello with a frame of kind {kind}"),
    };

    private static Welcome Agree(Welcome welcome) => welcome.Protocol is >= ProtocolVersion.Minimum and <= ProtocolVersion.Maximum
        ? welcome
        : throw new LinkRefusedException(ProtocolVersion.Mismatch(welcome.Version, welcome.Protocol, welcome.Protocol));
}
