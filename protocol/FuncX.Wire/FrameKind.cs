namespace FuncX.Wire;

/// <summary>What a frame is. The numbers are the wire's; a receiver closes the connection on one it does not know.</summary>
public enum FrameKind : byte
{
    None = 0,

    // Opening a connection.
    Hello = 1,
    Welcome = 2,
    Refused = 3,

    // What tasks refer to by number.
    Function = 4,
    Owner = 5,
    Container = 6,

    // Work and its outcome.
    Task = 7,
    Result = 8,
    Segment = 9,
    Cancel = 10,
    Recall = 11,
    Returned = 12,

    // Nothing lost.
    Mark = 13,
    Ack = 14,
    Inventory = 15,

    // Running.
    Heartbeat = 16,
    Status = 17,
    Drain = 18,
    Doorbell = 19,
    Probe = 23,

    // What a leader says of a manager behind it.
    Gone = 24,

    // To whoever dialled in from a block: its job has been made longer.
    Ends = 25,

    // From a leader to a manager behind it: what a function's body must be.
    FunctionDigest = 26,

    // Between a manager and its zygotes.
    Fork = 20,
    Forked = 21,
    Exited = 22,
}
