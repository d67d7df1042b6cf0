using FuncX.Configuration;

namespace FuncX.Endpoint.Doctor;

/// <summary>Whether the state directory takes what is written to it, and for how long it will: disk, quota and inodes.</summary>
internal sealed class DiskCheck(EndpointConfiguration configuration, IMachine machine) : IDoctorCheck
{
    private const int Written = 16 << 20;
    private const long LeastBytes = 1L << 30;

    // A block has a directory with some files for each node, and the last ten keep theirs.
    private const long LeastFiles = 10_000;

    private const int NoSpace = 28; // ENOSPC
    private const int NoQuota = 122; // EDQUOT
    private const string Elsewhere = "or name a state_dir on another file system";

    private string State => configuration.StateDirectory;

    public string Name => "disk";

    public Task<IReadOnlyList<Finding>> ExamineAsync(CancellationToken cancellation) => Task.FromResult(Examine());

    private IReadOnlyList<Finding> Examine()
    {
        if (!Directory.Exists(State))
            return [Finding.Skipped(Name, $"state_dir {State} is not there")];
        var space = machine.SpaceOf(State);
        try
        {
            machine.Write(State, Written);
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            return [Refused(problem, space)];
        }

        var warnings = new List<Finding>();
        var least = Math.Max(LeastBytes, configuration.Limits.Spool);
        if (space.FreeBytes < least)
        {
            warnings.Add(Finding.Warning(Name,
                $"{DiskSpace.Describe(space.FreeBytes)} are free in {State}, and {(least == LeastBytes ? "1 GiB is little enough" : $"limits.spool lets results take {DiskSpace.Describe(least)} there while the service is away")}",
                $"make room there, {(least == LeastBytes ? "" : "lower limits.spool, ")}{Elsewhere}"));
        }

        if (space.FreeFiles < LeastFiles)
            warnings.Add(Finding.Warning(Name, $"{space.FreeFiles} more files can be made on the file system of {State}, and {LeastFiles} would be comfortable", $"remove files there, {Elsewhere}"));
        return warnings.Count > 0
            ? warnings
            : [Finding.Ok(Name, $"{State} took {DiskSpace.Describe(Written)}, has {DiskSpace.Describe(space.FreeBytes)} free{(space.FreeFiles is { } files ? $", and room for {files} files" : "")}")];
    }

    private Finding Refused(Exception problem, DiskSpace space) => problem.HResult switch
    {
        NoSpace when space.FreeFiles == 0 => Finding.Problem(Name, $"no more files can be made on the file system of {State}: {problem.Message}", $"remove files there, {Elsewhere}"),
        NoSpace => Finding.Problem(Name, $"the disk of {State} is full ({DiskSpace.Describe(space.FreeBytes)} free, {DiskSpace.Describe(Written)} were to be written): {problem.Message}",
            $"make room on it (`df -h {State}` shows it), {Elsewhere}"),
        NoQuota => Finding.Problem("quota", $"your quota where {State} lies is used up, whatever else is free there: {problem.Message}",
            $"remove files of yours (`quota -s`, or `lfs quota -u $USER {State}` on Lustre, shows it), ask for more, {Elsewhere}"),
        _ => Finding.Problem(Name, $"{State} cannot be written: {problem.Message}", "name a state_dir on a file system that this machine may write"),
    };
}
