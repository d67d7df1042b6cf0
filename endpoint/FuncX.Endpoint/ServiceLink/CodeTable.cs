using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using FuncX.Configuration;
using FuncX.Contracts.V1;
using FuncX.Endpoint.Dispatch;
using FuncX.Wire;

namespace FuncX.Endpoint.ServiceLink;

/// <summary>
/// Functions and owners that tasks refer to, under numbers of this process: they hold over links, and are the same towards every manager. Kept encoded, as
/// managers are told of them before the first task. A function is needed for as long as the process lives: the service tells of it once per link, and a manager
/// that comes later has to be told too. So code beyond a bound lies in <c>state_dir/code</c>, what was used least lately first; with a disk that takes nothing it
/// stays in memory. On the loop only: reading a file costs the loop less than a millisecond, and only when a manager hears of a function that nobody used lately.
/// </summary>
internal sealed class CodeTable(string directory, long memoryBytes = CodeTable.MemoryBytes)
{
    /// <summary>Bytes of code in memory.</summary>
    public const long MemoryBytes = 64 << 20;

    private readonly Dictionary<string, int> _functions = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> _owners = new(StringComparer.Ordinal);
    private readonly List<FunctionEntry> _functionFrames = [new(default)];
    private readonly List<FrameSlice> _ownerFrames = [default];
    private readonly List<(string Id, string Name)> _functionNames = [("", "")];
    private readonly List<string> _ownerNames = [""];
    private readonly Queue<int> _inMemory = new();

    public static string PathIn(string stateDirectory) => Path.Combine(stateDirectory, "code");

    /// <summary>Removes what an earlier process has left, once it reads it no more.</summary>
    public static void Clear(string directory)
    {
        try
        {
            if (Directory.Exists(directory))
                Directory.Delete(directory, recursive: true);
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            // It costs space; every file is written anew before it is read.
        }
    }

    /// <summary>Bytes of functions that are in memory.</summary>
    public long Bytes { get; private set; }

    /// <summary>The frames that tell of function <paramref name="number"/>; no reference is given.</summary>
    /// <exception cref="IOException">Its file is gone or cannot be read.</exception>
    public FrameSlice Function(int number)
    {
        var entry = _functionFrames[number];
        entry.IsUsed = true;
        if (entry.Frames.Length > 0)
            return entry.Frames;
        var bytes = File.ReadAllBytes(PathOf(number));
        var frames = new FrameSlice(PooledBuffer.Wrap(bytes), 0, bytes.Length);
        Keep(number, frames);
        return frames;
    }

    public FrameSlice Owner(int number) => _ownerFrames[number];

    /// <summary>What the owner is called; of one that no link has told of, empty.</summary>
    public string NameOfOwner(int number) => number > 0 && number < _ownerNames.Count ? _ownerNames[number] : "";

    /// <summary>The function's id, and what its owner calls it.</summary>
    public (string Id, string Name) NameOfFunction(int number) => number > 0 && number < _functionNames.Count ? _functionNames[number] : ("", "");

    public int NumberOf(LinkFunction function)
    {
        if (_functions.TryGetValue(function.FunctionId, out var number))
            return number;
        number = _functionFrames.Count;
        var body = JsonSerializer.SerializeToUtf8Bytes(new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["id"] = function.FunctionId,
            ["kind"] = function.Kind,
            ["name"] = function.Name,
            ["entry"] = function.Entry,
            ["source"] = function.Kind == "dotnet" ? Convert.ToBase64String(function.Code.Span) : Encoding.UTF8.GetString(function.Code.Span),
        });
        _functionFrames.Add(new FunctionEntry(default));
        _functionNames.Add((function.FunctionId, function.Name));
        _functions.Add(function.FunctionId, number);
        Keep(number, Encode(new FrameHeader { Kind = FrameKind.Function, Function = (uint)number, ContentType = ContentType.Json }, body));
        return number;
    }

    public int NumberOf(LinkOwner owner)
    {
        if (_owners.TryGetValue(owner.Owner, out var number))
            return number;
        number = _ownerFrames.Count;
        var body = JsonSerializer.SerializeToUtf8Bytes(new Dictionary<string, string>(StringComparer.Ordinal) { ["name"] = owner.Owner });
        _ownerFrames.Add(Encode(new FrameHeader { Kind = FrameKind.Owner, Owner = (uint)number, ContentType = ContentType.Json }, body));
        _owners.Add(owner.Owner, number);
        _ownerNames.Add(owner.Owner);
        return number;
    }

    private void Keep(int number, in FrameSlice frames)
    {
        _functionFrames[number].Frames = frames;
        _inMemory.Enqueue(number);
        Bytes += frames.Length;
        // One round gives each a second chance, another would find the same.
        for (var looked = 2 * _inMemory.Count; Bytes > memoryBytes && looked > 0 && _inMemory.Count > 1; looked--)
        {
            var oldest = _inMemory.Dequeue();
            var entry = _functionFrames[oldest];
            if (oldest == number || entry.IsUsed || !TryWrite(oldest, entry))
            {
                entry.IsUsed = false;
                _inMemory.Enqueue(oldest);
                continue;
            }

            Bytes -= entry.Frames.Length;
            entry.Frames = default;
        }
    }

    private bool TryWrite(int number, FunctionEntry entry)
    {
        if (entry.IsWritten)
            return true;
        try
        {
            Directory.CreateDirectory(directory, FileModes.PrivateDirectory);
            // For this process only: it need not be durable.
            using var file = new FileStream(PathOf(number), new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write, UnixCreateMode = FileModes.PrivateFile });
            file.Write(entry.Frames.Span);
            file.Flush();
            return entry.IsWritten = true;
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    private string PathOf(int number) => Path.Combine(directory, number.ToString(CultureInfo.InvariantCulture));

    private static FrameSlice Encode(in FrameHeader header, byte[] body)
    {
        var writer = new ArrayBufferWriter<byte>(FrameHeader.Size + body.Length);
        FrameWriter.WriteSegmented(writer, header, body);
        return new FrameSlice(PooledBuffer.Wrap(writer.WrittenSpan.ToArray()), 0, writer.WrittenCount);
    }

    private sealed class FunctionEntry(FrameSlice frames)
    {
        /// <summary>Empty when they are in its file only.</summary>
        public FrameSlice Frames { get; set; } = frames;

        /// <summary>Since the last look for what can leave memory.</summary>
        public bool IsUsed { get; set; }

        public bool IsWritten { get; set; }
    }
}
