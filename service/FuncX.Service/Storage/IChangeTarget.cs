namespace FuncX.Service.Storage;

/// <summary>Receives the entries of a chunk in their order when the log is read again.</summary>
public interface IChangeTarget
{
    void Submitted(SubmissionRecord record, int offset, int bytes);

    void Dispatched(long batch, int from, int count);

    void Requeued(long batch, int index, ushort attempt);

    void AttemptLost(long batch, int index);

    void Retried(long batch, int index, ushort attempt);

    void CancelAsked(long batch, int index);

    void Linked(int endpoint, uint epoch, string instance);

    void Indexed(int count);

    void EndpointDeleted(int endpoint);

    void Results(ResultRows rows, int ordinal, int offset);
}
