using FuncX.Client.Connection;
using FuncX.Contracts.V1;
using FuncX.Wire;
using Grpc.Core;

namespace FuncX.Client.Results;

/// <summary>Fetches values that are too large for a message, in pieces; goes on where a lost connection left it.</summary>
internal sealed class ValueReader(ServiceConnection service)
{
    /// <summary>Gives the pieces of a value in order.</summary>
    /// <returns>Their bytes in all.</returns>
    public async Task<long> ReadAsync(TaskId task, Func<ReadOnlyMemory<byte>, ValueTask> take, CancellationToken cancellation)
    {
        var at = 0L;
        try
        {
            return await service.Retry.RunAsync(
                async (outage, token) =>
                {
                    using var call = service.BulkTasks.Value(new ValueRequest { TaskId = task.ToString(), Offset = (ulong)at }, service.Options(token));
                    try
                    {
                        while (await call.ResponseStream.MoveNext(token))
                        {
                            service.Retry.Reached();
                            outage.Opened();
                            var piece = call.ResponseStream.Current.Data.Memory;
                            await take(piece);
                            at += piece.Length;
                        }
                    }
                    catch (RpcException problem) when (outage.WasConnected && ServiceErrors.MayBeStopping(problem))
                    {
                        throw ServiceErrors.Lost(problem);
                    }

                    return at;
                },
                cancellation);
        }
        catch (RpcException problem)
        {
            cancellation.ThrowIfCancellationRequested();
            throw ServiceErrors.Translate(problem, service.Address, $"Reading the value of task {task}");
        }
    }

    /// <summary>Fills <paramref name="destination"/> with a value of exactly its size.</summary>
    public async Task ReadAsync(TaskId task, Memory<byte> destination, CancellationToken cancellation)
    {
        var at = 0;
        var bytes = await ReadAsync(
            task,
            piece =>
            {
                if (piece.Length > destination.Length - at)
                    throw Malformed(task, $"more than the {destination.Length} bytes it said");
                piece.CopyTo(destination[at..]);
                at += piece.Length;
                return default;
            },
            cancellation);
        if (bytes != destination.Length)
            throw Malformed(task, $"{bytes} bytes, not the {destination.Length} it said");
    }

    private static FuncXException Malformed(TaskId task, string seen) => new(FuncXErrorKind.Failed, $"The service sent a value of task {task} that cannot be right: {seen}.");
}
