namespace FuncX.Samples;

/// <summary>The .NET functions that quickstart registers: its assembly is the package.</summary>
public static class Numbers
{
    public static long Square(long number) => number * number;

    /// <summary>How many primes there are up to a number.</summary>
    public static async Task<int> PrimesUpToAsync(int most, CancellationToken cancellation)
    {
        var composite = new bool[most + 1];
        var count = 0;
        for (var number = 2; number <= most; number++)
        {
            if (composite[number])
                continue;
            count++;
            for (var multiple = 2L * number; multiple <= most; multiple += number)
                composite[multiple] = true;
            if (count % 10_000 == 0)
                await Task.Delay(0, cancellation);
        }

        return count;
    }
}
