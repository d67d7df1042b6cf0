namespace FuncX.Tests.Mpi.Program;

/// <summary>Assertions without a test framework, which would not compile ahead of time.</summary>
internal static class Check
{
    public static void That(bool condition, string otherwise)
    {
        if (!condition)
            throw new InvalidOperationException(otherwise);
    }

    public static T Throws<T>(Action action)
        where T : Exception
    {
        try
        {
            action();
        }
        catch (T expected)
        {
            return expected;
        }

        throw new InvalidOperationException($"expected {typeof(T).Name}, nothing was thrown");
    }
}
