using System.Buffers;
using FuncX.Client.Json;
using FuncX.Client.Results;
using FuncX.Client.Submission;
using FuncX.Wire;

namespace FuncX.Client.Mapping;

/// <summary>
/// One message's worth of a map and its results until they are taken. Only the reader of results writes values; the consumer looks at those below
/// <see cref="Ready"/>, which the map publishes under its lock. A hot path: columns from the pool, nothing for each call.
/// </summary>
internal sealed class MapBatch<TResult> : OutgoingBatch
{
    private readonly IMapOwner<TResult> _owner;
    private readonly bool _ordered;
    private TResult[] _values = [];
    private int[] _arrival = [];
    private bool[] _ended = [];
    private FuncXException?[]? _failures;
    private int _endedCount;
    private int _prefix;

    public MapBatch(IMapOwner<TResult> owner, SubmitTarget target, TimeProvider time, bool ordered, long first, int bufferBytes)
        : base(target, time, bufferBytes)
    {
        _owner = owner;
        _ordered = ordered;
        First = first;
    }

    /// <summary>Index of its first call in the map.</summary>
    public long First { get; }

    /// <summary>Results that may be taken; written under the map's lock.</summary>
    public int Ready { get; set; }

    /// <summary>Results handed to the consumer; written under the map's lock.</summary>
    public int Taken { get; set; }

    /// <summary>True while it stands in the queue of batches with results to take.</summary>
    public bool IsListed { get; set; }

    /// <summary>What it takes of the map's memory.</summary>
    public long Weight { get; set; }

    /// <summary>The service has it; written under the map's lock.</summary>
    public bool IsAccepted { get; set; }

    /// <summary>Calls with an outcome.</summary>
    public int Ended => _endedCount;

    /// <summary>Bytes of their values, failures and output.</summary>
    public long ResultBytes { get; private set; }

    public bool IsComplete => _endedCount == Count;

    public override bool WaitsWhenFull => true;

    /// <summary>Makes room for the results. Called once, before sending.</summary>
    public void Prepare()
    {
        _values = ArrayPool<TResult>.Shared.Rent(Count);
        _ended = ArrayPool<bool>.Shared.Rent(Count);
        _ended.AsSpan(0, Count).Clear();
        if (!_ordered)
            _arrival = ArrayPool<int>.Shared.Rent(Count);
    }

    /// <summary>Reads its results of one message; gives how many may be taken now. A result that came before changes nothing.</summary>
    public int Take(ref ResultChunkReader results, ResultDecoder<TResult> decoder)
    {
        var count = Count;
        while (results.MoveNext())
        {
            var index = (int)results.Index;
            if ((uint)index >= (uint)count || _ended[index])
                continue;
            if (results.Outcome == TaskOutcome.Value)
                Read(index, in results, decoder);
            else
                Fail(index, in results);
            ResultBytes += results.Value.Length + results.StandardOutput.Length + results.StandardError.Length;
            _ended[index] = true;
            if (!_ordered)
                _arrival[_endedCount] = index;
            _endedCount++;
        }

        if (!_ordered)
            return _endedCount;
        while (_prefix < count && _ended[_prefix])
            _prefix++;
        return _prefix;
    }

    public TResult ValueAt(int position)
    {
        var index = _ordered ? position : _arrival[position];
        return _failures?[index] is { } failure ? throw failure : _values[index];
    }

    public MapResult<TResult> ResultAt(int position)
    {
        var index = _ordered ? position : _arrival[position];
        return new MapResult<TResult>(First + index, new TaskId(Id, (uint)index), _values[index], _failures?[index]);
    }

    /// <summary>Its calls without an outcome, once nobody reads results any more.</summary>
    public IEnumerable<TaskId> Unfinished()
    {
        for (var index = 0; index < Count; index++)
        {
            if (!_ended[index])
                yield return new TaskId(Id, (uint)index);
        }
    }

    /// <summary>Nobody looks at the results any more.</summary>
    public void Release()
    {
        ArrayPool<TResult>.Shared.Return(_values, clearArray: System.Runtime.CompilerServices.RuntimeHelpers.IsReferenceOrContainsReferences<TResult>());
        ArrayPool<bool>.Shared.Return(_ended);
        if (!_ordered)
            ArrayPool<int>.Shared.Return(_arrival);
        _values = [];
        _ended = [];
        _arrival = [];
    }

    protected override void OnAccepted() => _owner.OnAccepted(this);

    protected override void OnRefused(FuncXException problem) => _owner.OnRefused(this, problem);

    private void Read(int index, in ResultChunkReader results, ResultDecoder<TResult> decoder)
    {
        try
        {
            _values[index] = decoder.Decode(new TaskId(Id, (uint)index), results.ContentType, results.Value);
        }
        catch (FuncXException problem)
        {
            SetFailure(index, problem);
        }
    }

    private void Fail(int index, in ResultChunkReader results) => SetFailure(index, RemoteTaskException.Read(
        new TaskId(Id, (uint)index), results.Outcome, results.Value.Span, results.StandardOutput.Span, results.StandardError.Span, results.Code));

    private void SetFailure(int index, FuncXException problem)
    {
        _values[index] = default!;
        (_failures ??= new FuncXException[Count])[index] = problem;
    }
}
