namespace FuncX.Client.Mapping;

/// <summary>Whom a batch of a map tells what the service answered.</summary>
internal interface IMapOwner<TResult>
{
    void OnAccepted(MapBatch<TResult> batch);

    void OnRefused(MapBatch<TResult> batch, FuncXException problem);
}
