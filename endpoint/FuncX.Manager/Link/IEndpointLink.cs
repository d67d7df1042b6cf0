namespace FuncX.Manager.Link;

/// <summary>
/// What takes a node's output to the endpoint: its own connection, or its place in a world. There is a new one for each greeting, so that what belongs to an
/// older one is recognised.
/// </summary>
internal interface IEndpointLink
{
    /// <summary>The node has output: take it soon. From any thread, outside the node's turn.</summary>
    void Kick();
}
