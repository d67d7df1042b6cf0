using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using FuncX.Contracts;
using FuncX.Contracts.V1;
using Google.Protobuf;
using Grpc.Core;

namespace FuncX.Client.Connection;

/// <summary>
/// <c>funcx.v1.Tasks/Submit</c> as one HTTP/2 request, over a connection of its own. A program makes tens of thousands of these calls a second, and needs nothing of what the gRPC
/// library does for each beside that (an interceptor, load balancing, state for retries and streams). Whatever is not an answer of the service is UNAVAILABLE here: the caller
/// sends the same batch again through the library. Benchmark: bench throughput, batch1_unary_per_s.
/// </summary>
internal sealed class SubmitCalls : IDisposable
{
    private const int PrefixBytes = 5;
    private const int ReplyBytes = 512;

    private static readonly MediaTypeHeaderValue _grpc = new("application/grpc");

    private readonly HttpMessageInvoker _invoker;
    private readonly Uri _method;
    private readonly string _authorization;
    private readonly CancellationTokenSource _ended = new();

    public SubmitCalls(Uri service, string authorization, SocketsHttpHandler handler)
    {
        _method = new Uri(service, $"/{ServiceNames.Tasks}/Submit");
        _authorization = authorization;
        _invoker = new HttpMessageInvoker(handler);
    }

    /// <exception cref="RpcException">The service refused it, or cannot be reached.</exception>
    public async Task<SubmitReply> SendAsync(SubmitRequest request)
    {
        using var message = new HttpRequestMessage(HttpMethod.Post, _method)
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = Encode(request),
        };
        message.Headers.TryAddWithoutValidation("te", "trailers");
        message.Headers.TryAddWithoutValidation("authorization", _authorization);
        try
        {
            using var response = await _invoker.SendAsync(message, _ended.Token);
            return await ReadAsync(response);
        }
        catch (Exception problem) when (problem is HttpRequestException or IOException or OperationCanceledException or ObjectDisposedException or InvalidProtocolBufferException)
        {
            throw new RpcException(new Status(StatusCode.Unavailable, problem.Message, problem));
        }
    }

    public void Dispose()
    {
        _ended.Cancel();
        _invoker.Dispose();
        _ended.Dispose();
    }

    private static ByteArrayContent Encode(SubmitRequest request)
    {
        var size = request.CalculateSize();
        var bytes = GC.AllocateUninitializedArray<byte>(PrefixBytes + size);
        bytes[0] = 0;
        BinaryPrimitives.WriteInt32BigEndian(bytes.AsSpan(1), size);
        request.WriteTo(bytes.AsSpan(PrefixBytes));
        var content = new ByteArrayContent(bytes);
        content.Headers.ContentType = _grpc;
        return content;
    }

    private static async ValueTask<SubmitReply> ReadAsync(HttpResponseMessage response)
    {
        var bytes = ArrayPool<byte>.Shared.Rent(ReplyBytes);
        try
        {
            await using var body = response.Content.ReadAsStream();
            var length = await body.ReadAtLeastAsync(bytes, bytes.Length, throwOnEndOfStream: false);
            // A refusal may come without a body, and its status in the place of the headers.
            Check(length == 0 && response.Headers.NonValidated.Contains("grpc-status") ? response.Headers : response.TrailingHeaders);
            return length >= PrefixBytes && bytes[0] == 0
                ? SubmitReply.Parser.ParseFrom(bytes.AsSpan(PrefixBytes, length - PrefixBytes))
                : throw NoAnswer();
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(bytes);
        }
    }

    private static void Check(HttpResponseHeaders headers)
    {
        if (!headers.NonValidated.TryGetValues("grpc-status", out var text) || !int.TryParse(text.ToString(), CultureInfo.InvariantCulture, out var code))
            throw NoAnswer();
        if (code == (int)StatusCode.OK)
            return;
        var detail = headers.NonValidated.TryGetValues("grpc-message", out var message) ? Uri.UnescapeDataString(message.ToString()) : "";
        throw new RpcException(new Status((StatusCode)code, detail));
    }

    private static RpcException NoAnswer() => new(new Status(StatusCode.Unavailable, "what answered is no FuncX service, or broke off"));
}
