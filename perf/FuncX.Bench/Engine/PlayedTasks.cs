using System.Globalization;

namespace FuncX.Bench.Engine;

/// <summary>What a played service sends: tasks with the arguments 0 .. <paramref name="Count"/> - 1, which come back as values.</summary>
internal sealed record PlayedTasks(int Count)
{
    /// <summary>With text behind the number of at least so many bytes.</summary>
    public int BodyBytes { get; init; }

    /// <summary>That a worker waits before it answers; null: a function that does nothing else.</summary>
    public double? Seconds { get; init; }

    /// <summary>For simulated workers, which answer with all of the arguments.</summary>
    public bool Simulated { get; init; }

    /// <summary>What stands before the number.</summary>
    public string Opening => Seconds is { } seconds ? string.Create(CultureInfo.InvariantCulture, $"[{seconds},") : BodyBytes > 0 ? "[\"" : "[";

    /// <summary>What stands behind it.</summary>
    public string Closing => BodyBytes > 0 ? $" {new string('x', BodyBytes)}\"]" : "]";

    /// <summary>Where the number stands in the value.</summary>
    public int ValueFrom => Simulated ? Opening.Length : BodyBytes > 0 ? 1 : 0;
}
