using System.Globalization;
using Xunit;

namespace FuncX.Tests.Fuzz;

/// <summary>
/// Many inputs to one reader. Each is made from the seed, the run's name and its own number, so that one alone can be made again; a failure shows it in hexadecimal. What
/// an input may cost is counted, not timed: the bytes that are allocated for it. Linked into each suite that fuzzes.
/// </summary>
internal static class FuzzRun
{
    private const int MostShown = 16 * 1024;

    /// <summary>The short run takes one in so many.</summary>
    private const int Part = 50;

    /// <summary>The tests run with <c>--full</c>.</summary>
    public static bool Full => Environment.GetEnvironmentVariable("FUNCX_TESTS_FULL") == "1";

    /// <summary><c>FUNCX_TESTS_SEED</c> repeats a run.</summary>
    public static int Seed { get; } = Environment.GetEnvironmentVariable("FUNCX_TESTS_SEED") is { Length: > 0 } given
        ? int.Parse(given, CultureInfo.InvariantCulture)
        : Random.Shared.Next();

    /// <summary>How many inputs of <paramref name="full"/> this run takes.</summary>
    public static int Count(int full) => Full ? full : full / Part;

    /// <summary>The randomness of one input.</summary>
    public static Random Of(string name, int number)
    {
        // The runtime's own hashes differ from process to process.
        var mixed = 2166136261u ^ (uint)Seed;
        foreach (var letter in name)
            mixed = (mixed ^ letter) * 16777619u;
        return new Random((int)((mixed ^ (uint)number) * 2654435761u));
    }

    /// <summary>Gives each input to the reader, which checks what comes of it and takes the refusals that are declared; whatever else it throws is a failure.</summary>
    /// <param name="name">Of the run.</param>
    /// <param name="full">Inputs with <c>--full</c>.</param>
    /// <param name="most">Bytes that reading one input may allocate.</param>
    /// <param name="make">Makes an input.</param>
    /// <param name="read">Reads it; true when it was valid.</param>
    public static void Each(string name, int full, long most, Func<Random, byte[]> make, Func<byte[], Random, bool> read)
    {
        var count = Count(full);
        var valid = 0;
        for (var number = 0; number < count; number++)
        {
            var random = Of(name, number);
            var input = make(random);
            try
            {
                var before = GC.GetAllocatedBytesForCurrentThread();
                valid += read(input, random) ? 1 : 0;
                var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
                if (allocated > most)
                    throw new InvalidOperationException($"{allocated} bytes were allocated for {input.Length} bytes of input; {most} are allowed");
            }
            catch (Exception problem)
            {
                throw new InvalidOperationException($"{name}, input {number} with FUNCX_TESTS_SEED={Seed}: {problem.Message}\n{Hex(input)}", problem);
            }
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"{name}: {count} inputs, {valid} of them valid, FUNCX_TESTS_SEED={Seed}");
        // Nothing but valid inputs would show no refusal, nothing but noise no reading.
        if (count >= 100 && (valid == 0 || valid == count))
            throw new InvalidOperationException($"{name}: {valid} of {count} inputs were valid (FUNCX_TESTS_SEED={Seed})");
    }

    /// <summary>An input for people to see; its beginning when it is long.</summary>
    public static string Hex(ReadOnlySpan<byte> input) =>
        Convert.ToHexStringLower(input[..Math.Min(input.Length, MostShown)]) + (input.Length > MostShown ? $"... ({input.Length} bytes)" : "");
}
