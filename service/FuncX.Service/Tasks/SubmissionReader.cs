using System.Buffers.Binary;
using System.IO.Hashing;
using System.Runtime.InteropServices;
using System.Text;
using FuncX.Contracts.V1;
using FuncX.Service.Auth;
using FuncX.Service.Limits;
using FuncX.Service.Registry;
using FuncX.Service.Storage;
using FuncX.Wire;
using Google.Protobuf;
using Grpc.Core;

namespace FuncX.Service.Tasks;

/// <summary>Turns a request into a batch, or into the reason why not. Writes nothing: large bodies still stand with the small ones.</summary>
public sealed class SubmissionReader(FunctionCatalog functions, EndpointCatalog endpoints, ServiceLimits limits)
{
    private const int MostGroupCharacters = 64;

    /// <summary>Reads a well-shaped request of an owner that arrived at <paramref name="now"/> (Unix microseconds).</summary>
    /// <returns>The batch; null when it is refused, with the refusal in <paramref name="refused"/>.</returns>
    public SubmissionRecord? Read(SubmitRequest request, OwnerId owner, long now, out SubmitOutcome refused)
    {
        refused = CheckLimits(request);
        if (refused.Status != StatusCode.OK)
            return null;
        var id = BatchId.Read(request.BatchId.Span);
        if (!functions.TryGet(owner, request.FunctionId, out var function))
        {
            refused = SubmitOutcome.Refused(StatusCode.NotFound, $"function '{request.FunctionId}' was not found");
            return null;
        }

        if (!endpoints.TryGet(owner, request.EndpointId, out var endpoint))
        {
            refused = SubmitOutcome.Refused(StatusCode.NotFound, $"endpoint '{request.EndpointId}' was not found");
            return null;
        }

        return Build(request, id, owner, function.Number, endpoint.Number, now);
    }

    /// <summary>What is wrong with a request whatever the limits are; such a one was never accepted.</summary>
    public static SubmitOutcome CheckShape(SubmitRequest request)
    {
        if (request.BatchId.Length != BatchId.Size)
            return Invalid($"batch_id has {request.BatchId.Length} bytes; {BatchId.Size} are right");
        var id = BatchId.Read(request.BatchId.Span);
        if (request.Group.Length is 0 or > MostGroupCharacters)
            return Invalid($"batch {id}: group has {request.Group.Length} characters; 1 to {MostGroupCharacters} are right");
        if (request.ContentType is 0 or > (uint)ContentType.Octets)
            return Invalid($"batch {id}: content_type is {request.ContentType}; 1 (JSON), 2 (pickle) or 3 (octets) are right");
        if (request.Lengths.Count == 0)
            return Invalid($"batch {id} has no calls; at least one length is needed");
        long total = 0;
        for (var index = 0; index < request.Lengths.Count; index++)
            total += request.Lengths[index];
        if (total != request.Bodies.Length)
            return Invalid($"batch {id}: the lengths sum to {total} and bodies has {request.Bodies.Length} bytes; they must be the same");
        if (request.Labels.Count > 0 && LabelRules.Check(request.Labels) is { } unlabelled)
            return Invalid($"batch {id}: {unlabelled}");
        if (request.Options is not { } options)
            return SubmitOutcome.Accepted;
        if (options.Priority > byte.MaxValue)
            return Invalid($"batch {id}: priority is {options.Priority}; 0 to 255 are right");
        if (options.Retry is { } retry && CheckRetry(retry) is { } wrong)
            return Invalid($"batch {id}: {wrong}");
        if (options.After.Count > Dependency.Most)
            return Invalid($"batch {id}: after names {options.After.Count} tasks and batches; the most is {Dependency.Most}. Name a whole batch instead of its tasks.");
        if (options.After.FirstOrDefault(static name => !Dependency.TryParse(name, out _)) is { } unreadable)
            return Invalid($"batch {id}: after names '{Shortened(unreadable)}'; BATCH-INDEX for a task or BATCH for a whole batch is right, BATCH being 24 hexadecimal digits");
        return options.Deadline < 0 ? Invalid($"batch {id}: deadline is {options.Deadline}; Unix microseconds or 0 are right") : SubmitOutcome.Accepted;
    }

    private static string? CheckRetry(RetryOptions retry)
    {
        if (retry.On.Count > RetryPolicy.MostTypes)
            return $"retry.on has {retry.On.Count} types; the most is {RetryPolicy.MostTypes}";
        if (retry.On.FirstOrDefault(static type => type.Length is 0 or > RetryPolicy.MostTypeCharacters) is { } type)
            return $"a type in retry.on has {type.Length} characters; 1 to {RetryPolicy.MostTypeCharacters} are right";
        if (retry.BackoffMs > RetryPolicy.MostBackoffMilliseconds)
            return $"retry.backoff_ms is {retry.BackoffMs}; up to {RetryPolicy.MostBackoffMilliseconds} is right";
        return retry.Times == 0 && (retry.On.Count > 0 || retry.BackoffMs > 0) ? "retry.times is 0; how often it may be tried again is wanted" : null;
    }

    private SubmitOutcome CheckLimits(SubmitRequest request)
    {
        var id = BatchId.Read(request.BatchId.Span);
        if (request.Lengths.Count > limits.BatchTasks)
            return Exhausted($"batch {id} has {request.Lengths.Count} calls; the limit batch_tasks is {limits.BatchTasks}. Send it in parts.");
        if (request.Bodies.Length > limits.BatchBytes)
            return Exhausted($"batch {id} has {request.Bodies.Length} bytes of arguments; the limit batch_bytes is {limits.BatchBytes}. Send it in parts.");
        for (var index = 0; index < request.Lengths.Count; index++)
        {
            if (request.Lengths[index] > (uint)limits.PayloadBytes)
                return Exhausted($"call {index} of batch {id} has {request.Lengths[index]} bytes of arguments; the limit payload_bytes is {limits.PayloadBytes}. Put large data in a file that the endpoint can read.");
        }

        if (request.Options?.Retry?.Times > (uint)limits.MostAttempts)
            return Invalid($"batch {id}: retry.times is {request.Options.Retry.Times}; the limit most_attempts is {limits.MostAttempts}");
        return request.Options?.MaxAttempts > (uint)limits.MostAttempts
            ? Invalid($"batch {id}: max_attempts is {request.Options.MaxAttempts}; the limit most_attempts is {limits.MostAttempts}")
            : SubmitOutcome.Accepted;
    }

    private SubmissionRecord Build(SubmitRequest request, BatchId id, OwnerId owner, int function, int endpoint, long now)
    {
        var count = request.Lengths.Count;
        var same = true;
        var large = false;
        for (var index = 0; index < count; index++)
        {
            same &= request.Lengths[index] == request.Lengths[0];
            large |= request.Lengths[index] > SegmentFiles.LargeBody;
        }

        int[]? offsets = null;
        if (!same || large)
        {
            offsets = new int[count + 1];
            for (var index = 0; index < count; index++)
                offsets[index + 1] = offsets[index] + (int)request.Lengths[index];
        }

        return new SubmissionRecord
        {
            Key = new BatchKey(id, owner.Number),
            Function = function,
            Endpoint = endpoint,
            Group = request.Group,
            Labels = request.Labels.Count > 0 ? new Dictionary<string, string>(request.Labels) : null,
            ContentType = (ContentType)request.ContentType,
            Priority = (byte)(request.Options?.Priority ?? 0),
            MaxAttempts = (ushort)(request.Options?.MaxAttempts is > 0 and var attempts ? attempts : (uint)limits.MaxAttempts),
            Retry = request.Options?.Retry is { Times: > 0 } retry ? new RetryPolicy((int)retry.Times, retry.BackoffMs, [.. retry.On]) : null,
            After = request.Options is { After.Count: > 0 } options ? ReadAfter(options) : null,
            WalltimeMilliseconds = request.Options?.WalltimeMs ?? 0,
            Deadline = request.Options?.Deadline ?? 0,
            Content = Hash(request, function, endpoint),
            ClientSent = request.ClientSent,
            Accepted = now,
            Count = count,
            Offsets = offsets,
            SameLength = same ? (int)request.Lengths[0] : 0,
            Bodies = request.Bodies.Memory,
        };
    }

    /// <summary>Over everything that makes two submissions the same: not the time at the client, which a retry changes, nor labels, which are the group's and may have been changed since.</summary>
    public static UInt128 Hash(SubmitRequest request, int function, int endpoint)
    {
        var hash = new XxHash128();
        Span<byte> head = stackalloc byte[40];
        BinaryPrimitives.WriteInt32LittleEndian(head, function);
        BinaryPrimitives.WriteInt32LittleEndian(head[4..], endpoint);
        BinaryPrimitives.WriteUInt32LittleEndian(head[8..], request.ContentType);
        BinaryPrimitives.WriteInt32LittleEndian(head[12..], request.Lengths.Count);
        BinaryPrimitives.WriteUInt32LittleEndian(head[16..], request.Options?.WalltimeMs ?? 0);
        BinaryPrimitives.WriteUInt32LittleEndian(head[20..], request.Options?.Priority ?? 0);
        BinaryPrimitives.WriteUInt32LittleEndian(head[24..], request.Options?.MaxAttempts ?? 0);
        BinaryPrimitives.WriteInt64LittleEndian(head[28..], request.Options?.Deadline ?? 0);
        BinaryPrimitives.WriteInt32LittleEndian(head[36..], Encoding.UTF8.GetByteCount(request.Group));
        hash.Append(head);
        Span<byte> group = stackalloc byte[MostGroupCharacters * 4];
        hash.Append(group[..Encoding.UTF8.GetBytes(request.Group, group)]);
        Span<uint> lengths = stackalloc uint[256];
        var filled = 0;
        for (var index = 0; index < request.Lengths.Count; index++)
        {
            lengths[filled++] = request.Lengths[index];
            if (filled < lengths.Length)
                continue;
            hash.Append(MemoryMarshal.AsBytes(lengths));
            filled = 0;
        }

        hash.Append(MemoryMarshal.AsBytes(lengths[..filled]));
        hash.Append(request.Bodies.Span);
        if (request.Options?.Retry is { Times: > 0 } retry)
            hash.Append(retry.ToByteArray());
        if (request.Options is { After.Count: > 0 } options)
            hash.Append(new TaskOptions { After = { options.After } }.ToByteArray());
        return hash.GetCurrentHashAsUInt128();
    }

    private static Dependency[] ReadAfter(TaskOptions options)
    {
        var after = new Dependency[options.After.Count];
        for (var index = 0; index < after.Length; index++)
            _ = Dependency.TryParse(options.After[index], out after[index]);
        return after;
    }

    private static string Shortened(string text) => text.Length <= 64 ? text : text[..64] + "...";

    private static SubmitOutcome Invalid(string message) => SubmitOutcome.Refused(StatusCode.InvalidArgument, message);

    private static SubmitOutcome Exhausted(string message) => SubmitOutcome.Refused(StatusCode.ResourceExhausted, message);
}
