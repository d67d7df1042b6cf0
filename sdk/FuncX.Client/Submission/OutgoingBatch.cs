using FuncX.Client.Json;
using FuncX.Contracts.V1;
using FuncX.Wire;
using Google.Protobuf;

namespace FuncX.Client.Submission;

/// <summary>
/// Calls that travel in one message: encoded once, sent again under the same id until the service answers. Whoever fills it owns it until
/// <see cref="Seal"/>; from then on the link does, until it calls <see cref="OnAccepted"/> or <see cref="OnRefused"/> once.
/// </summary>
internal abstract class OutgoingBatch
{
    private readonly SubmitTarget _target;
    private PooledBuffer? _arguments;
    private SubmitRequest? _request;
    private long _firstRefusal;
    private int _refusals;

    protected OutgoingBatch(SubmitTarget target, TimeProvider time, int bufferBytes)
    {
        _target = target;
        var now = time.GetUtcNow();
        Id = BatchId.New(now.ToUnixTimeMilliseconds());
        _arguments = new PooledBuffer(bufferBytes);
        Span<byte> id = stackalloc byte[BatchId.Size];
        Id.Write(id);
        _request = new SubmitRequest
        {
            BatchId = ByteString.CopyFrom(id),
            FunctionId = target.Function.Value,
            EndpointId = target.Endpoint.Value,
            Group = target.Group,
            ContentType = (uint)target.ContentType,
            Options = target.Options,
        };
        if (target.Labels.Count > 0)
            _request.Labels.Add(target.Labels.ToDictionary());
    }

    public BatchId Id { get; }

    /// <summary>What is sent; gone once the service has answered. Handles may be kept for a long time, and then nothing of it is.</summary>
    public SubmitRequest Request => _request ?? throw new InvalidOperationException("the service has answered this batch");

    /// <summary>Calls in it.</summary>
    public int Count { get; private set; }

    /// <summary>Bytes of arguments; kept after the arguments themselves are given back.</summary>
    public int Bytes { get; private set; }

    /// <summary>Place in the order of sending; set by the link.</summary>
    public long Sequence { get; set; }

    /// <summary>True: when the service has no room (a queue or its disk is full), wait and send again. False: that is an answer.</summary>
    public virtual bool WaitsWhenFull => false;

    public void Add<TArg>(TArg argument, ArgumentEncoder<TArg> encoder)
    {
        // Bytes that a worker took for JSON, or JSON for bytes, would fail far from here.
        if (argument is CallArguments { ContentType: var type } && type != _target.ContentType)
            throw new ArgumentException($"Arguments are {type} in a message of {_target.ContentType}; bytes want MapOptions.Octets, and nothing else goes with them.", nameof(argument));
        var length = encoder.Encode(argument, _arguments!);
        Request.Lengths.Add((uint)length);
        Count++;
        Bytes += length;
    }

    /// <summary>Nothing is added any more.</summary>
    public void Seal(TimeProvider time)
    {
        Request.Bodies = UnsafeByteOperations.UnsafeWrap(_arguments!.Written);
        Request.ClientSent = (time.GetUtcNow().UtcTicks - DateTime.UnixEpoch.Ticks) / TimeSpan.TicksPerMicrosecond;
    }

    /// <summary>The service had no room: says how long to wait before sending again (20 ms to 1 s, longer each time), or false when that has gone on for too long.</summary>
    public bool TryWait(TimeProvider time, TimeSpan patience, out TimeSpan delay)
    {
        if (_refusals++ == 0)
            _firstRefusal = time.GetTimestamp();
        delay = TimeSpan.FromMilliseconds(Math.Min(1_000, 20L << Math.Min(_refusals, 6)));
        return patience == Timeout.InfiniteTimeSpan || time.GetElapsedTime(_firstRefusal) + delay < patience;
    }

    /// <summary>The service has it, durably.</summary>
    public void Accept()
    {
        Forget();
        OnAccepted();
    }

    /// <summary>The service does not have it, or nobody knows.</summary>
    public void Refuse(FuncXException problem)
    {
        Forget();
        OnRefused(problem);
    }

    public override string ToString() => $"{Count} call(s) of function {_target.Function.Value[..Math.Min(12, _target.Function.Value.Length)]} to endpoint {_target.Endpoint}";

    protected abstract void OnAccepted();

    protected abstract void OnRefused(FuncXException problem);

    private void Forget()
    {
        // A write on a stream that is over may still be about to read it: it finds nothing, and not what the next owner of the buffer puts there.
        if (_request is not null)
            _request.Bodies = ByteString.Empty;
        _request = null;
        _arguments?.Return();
        _arguments = null;
    }
}
