using FuncX.Endpoint.Blocks;
using FuncX.Endpoint.Identity;

namespace FuncX.Endpoint.Doctor;

/// <summary>The glibc that the manager needs, against that of this machine.</summary>
internal sealed class GlibcCheck(IMachine machine) : IDoctorCheck
{
    public string Name => "glibc";

    /// <summary>What to do where a machine's glibc is too old.</summary>
    public static string Cure(Version needed) => needed > GlibcNeed.Promised
        ? $"take a manager of a release, which needs {GlibcNeed.Promised} only, or build one against that with eng/sysroot"
        : $"run the endpoint and its blocks where glibc is {GlibcNeed.Promised} or newer";

    public Task<IReadOnlyList<Finding>> ExamineAsync(CancellationToken cancellation) => Task.FromResult<IReadOnlyList<Finding>>([Examine()]);

    private Finding Examine()
    {
        ManagerProgram manager;
        try
        {
            manager = machine.FindManager();
        }
        catch (EndpointRefusedException)
        {
            return Finding.Skipped(Name, "there is no manager to look at");
        }

        if (machine.Glibc is not { } here)
            return Finding.Problem(Name, "the C library of this machine is not glibc", $"run the endpoint and its blocks on a Linux with glibc {GlibcNeed.Promised} or newer");
        if (GlibcNeed.Of(File.ReadAllBytes(manager.Path)) is not { } needed)
            return Finding.Skipped(Name, $"{manager.Path} names no version of glibc; this machine has {here}");
        if (needed > here)
            return Finding.Problem(Name, $"{manager.Path} needs glibc {needed}, and this machine has {here}", Cure(needed));
        return needed > GlibcNeed.Promised
            ? Finding.Warning(Name, $"{manager.Path} needs glibc {needed}, which this machine has ({here}) and older compute nodes have not", Cure(needed))
            : Finding.Ok(Name, $"{manager.Path} needs {needed}, and this machine has {here}");
    }
}
