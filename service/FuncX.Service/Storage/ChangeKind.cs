namespace FuncX.Service.Storage;

/// <summary>
/// What an entry in a chunk's changes says; the numbers are on disk. A batch is named by its number, written as the zigzag difference to the
/// number of the first batch submitted in the chunk.
/// </summary>
public enum ChangeKind : byte
{
    /// <summary>varint bytes | submission: the next batch number.</summary>
    Submitted = 1,

    /// <summary>batch | varint first index | varint count: queued tasks that are about to be sent.</summary>
    Dispatched = 2,

    /// <summary>batch | varint index | varint attempt: back in the queue.</summary>
    Requeued = 3,

    /// <summary>batch | varint index: its user wants it gone.</summary>
    CancelAsked = 4,

    /// <summary>varint endpoint | varint epoch | text instance.</summary>
    Linked = 5,

    /// <summary>varint count: so many of the oldest finished batches went to the index.</summary>
    Indexed = 6,

    /// <summary>varint endpoint: it is deleted.</summary>
    EndpointDeleted = 7,

    /// <summary>batch | varint index: one execution more is known to be lost.</summary>
    AttemptLost = 8,

    /// <summary>batch | varint index | varint attempt: it failed, and is tried again.</summary>
    Retried = 9,
}
