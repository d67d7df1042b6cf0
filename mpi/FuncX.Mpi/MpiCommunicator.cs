using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using FuncX.Mpi.Interop;

namespace FuncX.Mpi;

/// <summary>
/// A group of processes that send each other bytes. Every call must come from the thread that initialised MPI and throws
/// <see cref="InvalidOperationException"/> from another, and <see cref="ObjectDisposedException"/> after <see cref="MpiRuntime.FinalizeMpi"/>. What MPI
/// refuses is an <see cref="MpiException"/> with MPI's own text; the communicator stays usable as far as the library allows.
/// Messages from one rank to another with the same tag arrive in the order they were sent. Tags are 0 to 32,767 everywhere; most libraries
/// allow more.
/// </summary>
public sealed unsafe class MpiCommunicator
{
    /// <summary>As source of a probe or receive: a message from any rank.</summary>
    public const int AnySource = -1;

    /// <summary>As tag of a probe or receive: a message with any tag.</summary>
    public const int AnyTag = AbiLayout.AnyTag;

    private readonly NativeMpi _mpi;
    private readonly nint _handle;
    private readonly MessageTable _matched;
    private readonly MpiSends _sends;
    private readonly MpiBufferPool _buffers;

    internal MpiCommunicator(NativeMpi mpi, nint handle, MessageTable matched, MpiSends sends, MpiBufferPool buffers)
    {
        (_mpi, _handle, _matched, _sends, _buffers) = (mpi, handle, matched, sends, buffers);
        Rank = mpi.Rank(handle);
        Size = mpi.Size(handle);
    }

    /// <summary>This process's number, 0 to <see cref="Size"/> - 1. Any thread may read it.</summary>
    public int Rank { get; }

    /// <summary>How many processes there are. Any thread may read it.</summary>
    public int Size { get; }

    /// <summary>
    /// Starts a send and returns at once. The bytes must not change, and are kept in place, until the send is finished: see
    /// <see cref="MpiRuntime.Sends"/>.
    /// </summary>
    /// <param name="body">The message; may be empty. The memory of an <see cref="MpiBuffer"/> is the cheapest.</param>
    /// <param name="destination">The rank that gets it; may be this one.</param>
    /// <param name="tag">0 to 32,767.</param>
    /// <param name="id">The send.</param>
    /// <param name="owner">Disposed on this thread when the send is finished. It stays the caller's when this returns false or throws.</param>
    /// <returns>False when <see cref="MpiSends.Capacity"/> sends are unfinished: test them, then try again.</returns>
    public bool TryStartSend(ReadOnlyMemory<byte> body, int destination, int tag, out MpiSendId id, IDisposable? owner = null)
    {
        _mpi.Enter();
        RequireTarget(destination, tag);
        return _sends.TryStart(body, destination, tag, _handle, owner, out id);
    }

    /// <summary>Sends and returns when the bytes may be used again, which for a large message is when it is received. Spins meanwhile.</summary>
    public void Send(ReadOnlySpan<byte> body, int destination, int tag)
    {
        _mpi.Enter();
        RequireTarget(destination, tag);
        int code;
        fixed (byte* start = body)
            code = _mpi.Calls.Send(start, body.Length, _mpi.Layout.Byte, destination, tag, _handle);
        if (code != 0)
            throw _mpi.Failure("MPI_Send", code, $"of {body.Length} bytes with tag {tag} to rank {destination}");
    }

    /// <summary>Matches a message that has arrived, without waiting.</summary>
    /// <param name="source">A rank or <see cref="AnySource"/>.</param>
    /// <param name="tag">A tag or <see cref="AnyTag"/>.</param>
    /// <param name="message">The message; it must be received.</param>
    /// <exception cref="InvalidOperationException">256 messages are matched and not received.</exception>
    public bool TryProbe(int source, int tag, out MpiMessage message)
    {
        _mpi.Enter();
        RequirePattern(source, tag);
        _matched.RequireRoom();
        var found = 0;
        nint handle = 0;
        var code = _mpi.Calls.Improbe(_mpi.Source(source), tag, _handle, &found, &handle, _mpi.Status);
        if (code != 0)
            throw ProbeFailure("MPI_Improbe", code, source, tag);
        if (found == 0)
        {
            message = default;
            return false;
        }

        message = Matched(handle);
        return true;
    }

    /// <summary>Waits for a message and matches it. Spins meanwhile: a loop of <see cref="TryProbe"/> with pauses costs less.</summary>
    public MpiMessage Probe(int source, int tag)
    {
        _mpi.Enter();
        RequirePattern(source, tag);
        _matched.RequireRoom();
        nint handle = 0;
        var code = _mpi.Calls.Mprobe(_mpi.Source(source), tag, _handle, &handle, _mpi.Status);
        if (code != 0)
            throw ProbeFailure("MPI_Mprobe", code, source, tag);
        return Matched(handle);
    }

    /// <summary>Receives a matched message into pooled memory, which is the caller's to dispose. Waits for what has not arrived yet of a large one.</summary>
    public MpiBuffer Receive(in MpiMessage message)
    {
        var buffer = _buffers.Rent(message.Bytes);
        try
        {
            Receive(message, buffer.Span);
            return buffer;
        }
        catch
        {
            buffer.Dispose();
            throw;
        }
    }

    /// <summary>Receives a matched message into the caller's memory; returns its length.</summary>
    /// <exception cref="ArgumentException"><paramref name="body"/> is shorter than the message, which stays to be received.</exception>
    /// <exception cref="InvalidOperationException">The message was received already.</exception>
    public int Receive(in MpiMessage message, Span<byte> body)
    {
        _mpi.Enter();
        if (body.Length < message.Bytes)
            throw WrongLength(message, body.Length, nameof(body));
        var handle = _matched.Take(message);
        int code;
        fixed (byte* start = body)
            code = _mpi.Calls.Mrecv(start, message.Bytes, _mpi.Layout.Byte, &handle, _mpi.Status);
        if (code != 0)
            throw ReceiveFailure(code, message);
        return message.Bytes;
    }

    /// <summary>
    /// Receives a matched message without waiting for what has not arrived of it: it is there when <see cref="MpiRuntime.Sends"/> says that <paramref name="id"/> is finished, as it says
    /// it of a send. Its sender may have died in the middle, and then it never is.
    /// </summary>
    /// <param name="message">The message.</param>
    /// <param name="body">Memory of the message's length, kept in place and nobody else's until then.</param>
    /// <param name="id">The receive.</param>
    /// <param name="owner">Disposed on this thread when it is finished. It stays the caller's when this returns false or throws.</param>
    /// <returns>False when <see cref="MpiSends.Capacity"/> sends and receives are unfinished; the message stays to be received.</returns>
    /// <exception cref="ArgumentException"><paramref name="body"/> has another length than the message.</exception>
    public bool TryStartReceive(in MpiMessage message, Memory<byte> body, out MpiSendId id, IDisposable? owner = null)
    {
        _mpi.Enter();
        id = default;
        if (body.Length != message.Bytes)
            throw WrongLength(message, body.Length, nameof(body));
        if (_sends.Outstanding == _sends.Capacity)
            return false;
        id = _sends.StartReceive(_matched.Take(message), body, owner);
        return true;
    }

    /// <summary>Waits for a message and receives it. Spins meanwhile. A message longer than <paramref name="body"/> is lost and an error.</summary>
    /// <returns>Source, tag and length.</returns>
    public MpiEnvelope Receive(Span<byte> body, int source, int tag)
    {
        _mpi.Enter();
        RequirePattern(source, tag);
        int code;
        fixed (byte* start = body)
            code = _mpi.Calls.Recv(start, body.Length, _mpi.Layout.Byte, _mpi.Source(source), tag, _handle, _mpi.Status);
        if (code != 0)
            throw _mpi.Failure("MPI_Recv", code, $"into {body.Length} bytes, {About(source, tag)}");
        return _mpi.Envelope();
    }

    /// <summary>
    /// Gives every rank the bytes of <paramref name="root"/>. All ranks must call it, in the same order among their other collective calls, with
    /// memory of the same length. Spins until done.
    /// </summary>
    public void Broadcast(Span<byte> body, int root)
    {
        _mpi.Enter();
        ArgumentOutOfRangeException.ThrowIfNegative(root);
        int code;
        fixed (byte* start = body)
            code = _mpi.Calls.Bcast(start, body.Length, _mpi.Layout.Byte, root, _handle);
        if (code != 0)
            throw _mpi.Failure("MPI_Bcast", code, $"of {body.Length} bytes from rank {root}");
    }

    /// <summary>Waits until every rank has called it. Spins meanwhile.</summary>
    public void Barrier()
    {
        _mpi.Enter();
        var code = _mpi.Calls.Barrier(_handle);
        if (code != 0)
            throw _mpi.Failure("MPI_Barrier", code, $"of {Size} ranks");
    }

    /// <summary>
    /// Ends every process of the job, at once and without cleaning up; the launcher exits with <paramref name="exitCode"/> as far as it can.
    /// Never returns.
    /// </summary>
    /// <param name="exitCode">1 to 255; other values lose their upper bits on the way.</param>
    [DoesNotReturn]
    public void Abort(int exitCode)
    {
        _mpi.Enter();
        _ = _mpi.Calls.Abort(_handle, exitCode);
        // The standard leaves open whether it returns.
        NativeProcess.ExitNow(exitCode);
    }

    private static void RequireTarget(int destination, int tag)
    {
        // Negative ranks and tags are wildcards or "nobody", and which is which differs between the libraries.
        ArgumentOutOfRangeException.ThrowIfNegative(destination);
        ArgumentOutOfRangeException.ThrowIfNegative(tag);
    }

    private static void RequirePattern(int source, int tag)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(source, AnySource);
        ArgumentOutOfRangeException.ThrowIfLessThan(tag, AnyTag);
    }

    // Made in place: a value that is put together elsewhere and copied is read before its parts have left the processor's store buffer.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private MpiMessage Matched(nint handle)
    {
        var slot = _matched.Add(handle, out var generation);
        return new MpiMessage(_mpi.StatusSource, _mpi.StatusTag, _mpi.StatusCount, slot, generation);
    }

    // Texts are made away from the calls themselves, which would have to clear the room for them each time.
    private MpiException ProbeFailure(string call, int code, int source, int tag) => _mpi.Failure(call, code, About(source, tag));

    private MpiException ReceiveFailure(int code, in MpiMessage message) =>
        _mpi.Failure("MPI_Mrecv", code, $"of {message.Bytes} bytes with tag {message.Tag} from rank {message.Source}");

    private static ArgumentException WrongLength(in MpiMessage message, int length, string name) =>
        new($"the message from rank {message.Source} with tag {message.Tag} has {message.Bytes} bytes, the memory for it {length}", name);

    private static string About(int source, int tag) =>
        $"from {(source == AnySource ? "any rank" : $"rank {source}")} with {(tag == AnyTag ? "any tag" : $"tag {tag}")}";
}
