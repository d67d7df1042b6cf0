namespace FuncX.Providers.Batch;

public enum CancelKind
{
    /// <summary>The order was taken, or there was nothing to end any more: where the job stands says the next question.</summary>
    Taken,

    Refused,

    /// <summary>The scheduler was not reached.</summary>
    Away,
}

/// <summary>What the output of an order to end a job says.</summary>
public sealed record CancelAnswer(CancelKind Kind, string Message = "");
