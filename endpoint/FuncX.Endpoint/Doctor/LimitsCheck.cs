namespace FuncX.Endpoint.Doctor;

/// <summary>Whether a process may have as many files open as an endpoint with many managers needs.</summary>
internal sealed class LimitsCheck(IMachine machine) : IDoctorCheck
{
    /// <summary>A connection for each manager or world, and a file for each block and result beside them.</summary>
    private const ulong Least = 4_096;

    public string Name => "limits";

    public Task<IReadOnlyList<Finding>> ExamineAsync(CancellationToken cancellation)
    {
        var most = machine.OpenFiles;
        return Task.FromResult<IReadOnlyList<Finding>>([most >= Least
            ? Finding.Ok(Name, most > long.MaxValue ? "any number of files may be open" : $"{most} files may be open")
            : Finding.Warning(Name, $"at most {most} files may be open, each manager's connection among them; {Least} would be right",
                $"raise the hard limit: `nofile` in /etc/security/limits.conf, LimitNOFILE of a systemd unit; `ulimit -Hn` shows it")]);
    }
}
