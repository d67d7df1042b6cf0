using FuncX.Contracts.V1;
using FuncX.Wire;
using Google.Protobuf.Collections;
using Google.Protobuf;

namespace FuncX.Client.Results;

/// <summary>
/// Walks the batches of a <see cref="ResultChunk"/> and the columns of each. A hot path: spans over the message, no allocation. The lengths of all columns are
/// checked before the first result is given out.
/// </summary>
internal ref struct ResultChunkReader
{
    private readonly ReadOnlySpan<byte> _batches;
    private readonly ReadOnlySpan<uint> _counts;
    private readonly ReadOnlySpan<uint> _index;
    private readonly ReadOnlySpan<uint> _outcomes;
    private readonly ReadOnlySpan<uint> _contentTypes;
    private readonly ReadOnlySpan<uint> _lengths;
    private readonly ReadOnlySpan<uint> _stdout;
    private readonly ReadOnlySpan<uint> _stderr;
    private readonly ReadOnlySpan<int> _codes;
    private readonly ReadOnlySpan<long> _started;
    private readonly ReadOnlySpan<long> _ran;
    private readonly ReadOnlyMemory<byte> _bodies;
    private readonly long _baseTime;
    private int _batch;
    private int _batchEnd;
    private int _at;
    private int _next;
    private int _value;
    private int _output;

    /// <exception cref="FuncXException">The columns do not fit each other.</exception>
    public ResultChunkReader(ResultChunk chunk)
    {
        _index = UnsafeCollectionOperations.AsSpan(chunk.Index);
        _outcomes = UnsafeCollectionOperations.AsSpan(chunk.Outcomes);
        _contentTypes = UnsafeCollectionOperations.AsSpan(chunk.ContentTypes);
        _lengths = UnsafeCollectionOperations.AsSpan(chunk.Lengths);
        _stdout = UnsafeCollectionOperations.AsSpan(chunk.StdoutLengths);
        _stderr = UnsafeCollectionOperations.AsSpan(chunk.StderrLengths);
        _codes = UnsafeCollectionOperations.AsSpan(chunk.Codes);
        _started = UnsafeCollectionOperations.AsSpan(chunk.Started);
        _ran = UnsafeCollectionOperations.AsSpan(chunk.Ran);
        _bodies = chunk.Bodies.Memory;
        _baseTime = chunk.BaseTime;
        _batches = chunk.BatchIds.Span;
        _counts = UnsafeCollectionOperations.AsSpan(chunk.Counts);

        var count = _index.Length;
        if (_batches.Length != BatchId.Size * Math.Max(1, _counts.Length))
            throw Malformed($"its batch ids have {_batches.Length} bytes for {Math.Max(1, _counts.Length)} batches");
        if (!_counts.IsEmpty && Sum(_counts) != count)
            throw Malformed($"its batches have {Sum(_counts)} results, and it carries {count}");
        CheckColumn(_lengths.Length, count, mayBeEmpty: false, "lengths");
        CheckColumn(_outcomes.Length, count, mayBeEmpty: true, "outcomes");
        if (_contentTypes.Length != 1)
            CheckColumn(_contentTypes.Length, count, mayBeEmpty: false, "content_types");
        CheckColumn(_stdout.Length, count, mayBeEmpty: true, "stdout_lengths");
        CheckColumn(_stderr.Length, count, mayBeEmpty: true, "stderr_lengths");
        CheckColumn(_codes.Length, count, mayBeEmpty: true, "codes");
        CheckColumn(_started.Length, count, mayBeEmpty: true, "started");
        CheckColumn(_ran.Length, count, mayBeEmpty: true, "ran");
        var values = Sum(_lengths);
        var output = Sum(_stdout) + Sum(_stderr);
        if (values + output != _bodies.Length)
            throw Malformed($"its lengths add up to {values} + {output} bytes, but it carries {_bodies.Length}");
        _output = (int)values;
    }

    /// <summary>The batch that <see cref="NextBatch"/> came to.</summary>
    public BatchId Batch { get; private set; }

    /// <summary>Results of all batches.</summary>
    public readonly int Count => _index.Length;

    public readonly uint Index => _index[_at];

    public readonly TaskOutcome Outcome => _outcomes.IsEmpty ? TaskOutcome.Value : (TaskOutcome)_outcomes[_at];

    public readonly ContentType ContentType => (ContentType)(_contentTypes.Length == 1 ? _contentTypes[0] : _contentTypes[_at]);

    public readonly ReadOnlyMemory<byte> Value => _bodies.Slice(_value, (int)_lengths[_at]);

    public readonly ReadOnlyMemory<byte> StandardOutput => _bodies.Slice(_output, StdoutBytes);

    public readonly ReadOnlyMemory<byte> StandardError => _bodies.Slice(_output + StdoutBytes, StderrBytes);

    public readonly int Code => _codes.IsEmpty ? 0 : _codes[_at];

    /// <summary>Unix microseconds on the worker's clock; 0 is unknown.</summary>
    public readonly long Started => _started.IsEmpty ? 0 : _baseTime + _started[_at];

    /// <summary>Microseconds between the worker's start and end.</summary>
    public readonly long Ran => _ran.IsEmpty ? 0 : _ran[_at];

    private readonly int StdoutBytes => _stdout.IsEmpty ? 0 : (int)_stdout[_at];

    private readonly int StderrBytes => _stderr.IsEmpty ? 0 : (int)_stderr[_at];

    /// <summary>Goes to the next batch, whether all results of this one were looked at or not; false: there is none.</summary>
    public bool NextBatch()
    {
        while (MoveNext())
        {
        }

        if (_batch * BatchId.Size == _batches.Length)
            return false;
        Batch = BatchId.Read(_batches[(_batch * BatchId.Size)..]);
        _batchEnd += _counts.IsEmpty ? _index.Length : (int)_counts[_batch];
        _batch++;
        return true;
    }

    /// <summary>Goes to the next result of the batch; false: that was the last.</summary>
    public bool MoveNext()
    {
        if (_next == _batchEnd)
            return false;
        if (_next > 0)
        {
            _value += (int)_lengths[_at];
            _output += StdoutBytes + StderrBytes;
        }

        _at = _next++;
        return true;
    }

    private readonly void CheckColumn(int length, int count, bool mayBeEmpty, string name)
    {
        if (length != count && !(mayBeEmpty && length == 0))
            throw Malformed($"column {name} has {length} entries for {count} results");
    }

    private static long Sum(ReadOnlySpan<uint> lengths)
    {
        long sum = 0;
        foreach (var length in lengths)
            sum += length;
        return sum;
    }

    private static FuncXException Malformed(string seen) => new(FuncXErrorKind.Failed, $"The service sent a result message that cannot be right: {seen}.");
}
