using System.Buffers.Binary;
using System.Text;

namespace FuncX.Manager.Spawning;

/// <summary>A program to start: never a shell string. Descriptors become 0, 1, 2, ... of the child; everything else is closed.</summary>
internal sealed record SpawnRequest
{
    public required string Program { get; init; }

    /// <summary>All arguments, the program's own name first.</summary>
    public required IReadOnlyList<string> Arguments { get; init; }

    /// <summary><c>NAME=value</c> each.</summary>
    public required IReadOnlyList<string> Environment { get; init; }

    public required string Directory { get; init; }

    /// <summary>CPUs that it may run on; empty: those of the spawner.</summary>
    public IReadOnlyList<int> Cpus { get; init; } = [];

    // little endian: id u32 | program | count u32, arguments | count u32, environment | directory | count u32, CPUs u32; a text is length u32 and UTF-8
    public byte[] Encode(uint id)
    {
        using var stream = new MemoryStream();
        using var writer = new BinaryWriter(stream);
        writer.Write(id);
        Write(writer, Program);
        Write(writer, Arguments);
        Write(writer, Environment);
        Write(writer, Directory);
        writer.Write(Cpus.Count);
        foreach (var cpu in Cpus)
            writer.Write(cpu);
        writer.Flush();
        return stream.ToArray();
    }

    public static SpawnRequest Decode(ReadOnlySpan<byte> bytes, out uint id)
    {
        id = BinaryPrimitives.ReadUInt32LittleEndian(bytes);
        bytes = bytes[4..];
        return new SpawnRequest
        {
            Program = ReadText(ref bytes),
            Arguments = ReadTexts(ref bytes),
            Environment = ReadTexts(ref bytes),
            Directory = ReadText(ref bytes),
            Cpus = ReadNumbers(ref bytes),
        };
    }

    private static void Write(BinaryWriter writer, string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        writer.Write(bytes.Length);
        writer.Write(bytes);
    }

    private static void Write(BinaryWriter writer, IReadOnlyList<string> texts)
    {
        writer.Write(texts.Count);
        foreach (var text in texts)
            Write(writer, text);
    }

    private static string ReadText(ref ReadOnlySpan<byte> bytes)
    {
        var length = BinaryPrimitives.ReadInt32LittleEndian(bytes);
        var text = Encoding.UTF8.GetString(bytes.Slice(4, length));
        bytes = bytes[(4 + length)..];
        return text;
    }

    private static List<int> ReadNumbers(ref ReadOnlySpan<byte> bytes)
    {
        var count = BinaryPrimitives.ReadInt32LittleEndian(bytes);
        var numbers = new List<int>(count);
        for (var i = 0; i < count; i++)
            numbers.Add(BinaryPrimitives.ReadInt32LittleEndian(bytes[(4 + (4 * i))..]));
        bytes = bytes[(4 + (4 * count))..];
        return numbers;
    }

    private static List<string> ReadTexts(ref ReadOnlySpan<byte> bytes)
    {
        var count = BinaryPrimitives.ReadInt32LittleEndian(bytes);
        bytes = bytes[4..];
        var texts = new List<string>(count);
        for (var i = 0; i < count; i++)
            texts.Add(ReadText(ref bytes));
        return texts;
    }
}
