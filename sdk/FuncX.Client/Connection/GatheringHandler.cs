using FuncX.Contracts.V1;

namespace FuncX.Client.Connection;

/// <summary>
/// Writes messages that the stream of submissions sends without a flush between them as one piece: for HttpClient each write is an entry in the connection's queue, a hop
/// to another thread and a frame of its own, which the service pays for once more. Benchmark: bench throughput, batch1_stream_per_s.
/// </summary>
internal sealed class GatheringHandler(HttpMessageHandler inner) : DelegatingHandler(inner)
{
    private static readonly string _path = $"/{Tasks.Descriptor.FullName}/{nameof(Tasks.TasksClient.SubmitStream)}";

    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        if (request.Content is { } content && request.RequestUri?.AbsolutePath.EndsWith(_path, StringComparison.Ordinal) == true)
            request.Content = new GatheredContent(content);
        return base.SendAsync(request, cancellationToken);
    }
}
