namespace FuncX.Client.Calls;

/// <summary>The way of single calls of one kind to the service.</summary>
internal interface ICallLane
{
    /// <summary>A batch of this lane is accepted or refused.</summary>
    void OnAnswered();
}
