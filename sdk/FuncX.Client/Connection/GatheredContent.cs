using System.Net;

namespace FuncX.Client.Connection;

/// <summary>The content of a request, written through a <see cref="GatheringStream"/>.</summary>
internal sealed class GatheredContent : HttpContent
{
    private readonly HttpContent _inner;
    private readonly Gathering _gathering;

    public GatheredContent(HttpContent inner, Gathering gathering)
    {
        _inner = inner;
        _gathering = gathering;
        foreach (var (name, values) in inner.Headers.NonValidated)
            Headers.TryAddWithoutValidation(name, values);
    }

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        var gathering = new GatheringStream(stream, _gathering);
        await _inner.CopyToAsync(gathering, context, cancellationToken);
        _gathering.MoreComes = false;
        await gathering.FlushAsync(cancellationToken);
    }

    protected override bool TryComputeLength(out long length)
    {
        length = 0;
        return false;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _inner.Dispose();
        base.Dispose(disposing);
    }
}
