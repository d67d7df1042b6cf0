namespace FuncX.Endpoint.Core;

/// <summary>What the endpoint knows of a task whose result came.</summary>
/// <param name="Received">When the task came to the endpoint, Unix microseconds.</param>
/// <param name="Sent">When it was sent to the manager, Unix microseconds.</param>
/// <param name="ServiceTicket">The service's own number for it, to be put back into the frame.</param>
public readonly record struct ResultReceipt(long Received, long Sent, uint ServiceTicket);
