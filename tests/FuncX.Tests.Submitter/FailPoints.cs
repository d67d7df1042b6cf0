using System.Globalization;
using FuncX.Cluster;

namespace FuncX.Tests.Submitter;

/// <summary>Places where a test has the submitter die, as in the product's programs: <c>FUNCX_FAILPOINT=NAME[:N]</c>, at the Nth passage. Each name is passed by one loop only.</summary>
internal static class FailPoints
{
    private static readonly string[] Chosen = (Environment.GetEnvironmentVariable("FUNCX_FAILPOINT") ?? "").Split(':');
    private static int _left = Chosen.Length == 2 ? int.Parse(Chosen[1], CultureInfo.InvariantCulture) : 1;

    /// <summary>Dies here at the chosen passage.</summary>
    public static void Pass(string name)
    {
        if (IsReached(name))
            Die();
    }

    /// <summary>Marks a passage; true at the chosen one.</summary>
    public static bool IsReached(string name) => name == Chosen[0] && --_left == 0;

    public static void Die() => ProcessIdentity.Of(Environment.ProcessId).Kill();
}
