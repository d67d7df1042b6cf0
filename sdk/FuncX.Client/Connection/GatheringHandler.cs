namespace FuncX.Client.Connection;

/// <summary>Passes the contents of streams that are opened by a <see cref="Gathering"/> through it.</summary>
internal sealed class GatheringHandler(HttpMessageHandler inner) : DelegatingHandler(inner)
{
    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        if (Gathering.Opening is { } gathering && request.Content is { } content)
            request.Content = new GatheredContent(content, gathering);
        return base.SendAsync(request, cancellationToken);
    }
}
