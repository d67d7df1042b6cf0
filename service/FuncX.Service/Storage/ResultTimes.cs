namespace FuncX.Service.Storage;

/// <summary>The columns of times in a result section, in their order on disk.</summary>
public enum ResultTimes
{
    Sent,
    EndpointReceived,
    EndpointSent,
    ManagerReceived,
    WorkerStarted,
    WorkerEnded,
    EndpointBack,
    ServiceBack,
}
