using System.Runtime.CompilerServices;
using FuncX.Endpoint.Identity;
using FuncX.Providers;

namespace FuncX.Endpoint.Doctor;

/// <summary>The checks, one after the other; none holds up the others for longer than its limit.</summary>
internal sealed class Examination(IReadOnlyList<IDoctorCheck> checks, TimeProvider time)
{
    /// <summary>The findings as they come.</summary>
    /// <exception cref="OperationCanceledException">Interrupted; what a check has begun is undone.</exception>
    public async IAsyncEnumerable<Finding> RunAsync([EnumeratorCancellation] CancellationToken cancellation)
    {
        foreach (var check in checks)
        {
            cancellation.ThrowIfCancellationRequested();
            foreach (var finding in await RunAsync(check, cancellation))
                yield return finding;
        }
    }

    private async Task<IReadOnlyList<Finding>> RunAsync(IDoctorCheck check, CancellationToken cancellation)
    {
        try
        {
            // The token is the check's own to heed: one that is interrupted still has to put away what it has made.
            return await Task.Run(() => check.ExamineAsync(cancellation), CancellationToken.None).WaitAsync(check.Limit, time, CancellationToken.None);
        }
        catch (TimeoutException)
        {
            return [Finding.Problem(check.Name, $"there was no answer within {check.Limit.TotalSeconds:F0} s", "something that is looked at here hangs, a file system or a command perhaps; ask who runs this machine")];
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException or BlockProviderException or EndpointRefusedException)
        {
            return [Finding.Refused(check.Name, problem.Message, "see what the message names, and run this again")];
        }
    }
}
