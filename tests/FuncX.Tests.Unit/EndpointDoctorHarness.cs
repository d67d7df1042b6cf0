using FuncX.Configuration;
using FuncX.Endpoint.Doctor;
using FuncX.Wire;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit;

/// <summary>
/// <c>funcx-endpoint doctor</c> on a machine that is well but for one thing: that is found with its cure, and nothing else. All checks run each time.
/// </summary>
public abstract class EndpointDoctorHarness : IDisposable
{
    private protected const string Python = "/usr/bin/python3";
    private protected const string Local = "provider: {type: local}";
    private protected const string Slurm = "provider: {type: slurm, walltime: 1h, partition: debug}";

    protected EndpointDoctorHarness()
    {
        Machine = new EndpointDoctorMachine(WriteManager(ProtocolVersion.Product, "2.31"));
        Bin = Directory.CreateDirectory(Path.Combine(Scratch.Path, "bin")).FullName;
        foreach (var tool in (string[])["timeout", "head"])
            File.CreateSymbolicLink(Path.Combine(Bin, tool), $"/usr/bin/{tool}");
    }

    private protected ConfigurationScratch Scratch { get; } = new();

    private protected EndpointDoctorMachine Machine { get; }

    /// <summary>Where programs of the test's own are.</summary>
    private protected string Bin { get; }

    private protected string State => Path.Combine(Scratch.Path, "state");

    public void Dispose()
    {
        Scratch.Dispose();
        GC.SuppressFinalize(this);
    }

    private protected static bool IsBad(Finding finding) => finding.State is FindingState.Warning or FindingState.Problem;

    private protected static Finding Of(IReadOnlyList<Finding> findings, string check) => findings.Where(finding => finding.Check == check).ShouldHaveSingleItem();

    private protected string Yaml(string keys) => $"name: a\nservice: https://funcx.example.org\nstate_dir: {State}\n{keys}\n{(keys.Contains("workers:", StringComparison.Ordinal) ? "" : $"workers: {{per_node: 1, python: {Python}}}\n")}";

    private protected string Mpi(string provider, string launcher = "detect") =>
        $"provider: {{type: slurm, walltime: 1h, {provider.Replace("BIN", Bin, StringComparison.Ordinal)}}}\ntransport: mpi\nlauncher: {{type: {launcher}}}";

    private protected async Task<IReadOnlyList<Finding>> ExamineAsync(string yaml, EndpointDoctorMachine? machine = null, string? tokenFile = null)
    {
        tokenFile ??= Path.Combine(Scratch.Path, "token");
        if (tokenFile.EndsWith("/token", StringComparison.Ordinal) && !File.Exists(tokenFile))
            Scratch.Write("token", "fxt_secret");
        var file = EndpointConfigurationFile.Parse("a.yaml", Yaml(yaml));
        file.Errors.ShouldBeEmpty();
        var findings = new List<Finding>();
        await foreach (var finding in new Examination(DoctorChecks.Of(file, machine ?? Machine, tokenFile, null, TimeProvider.System, static _ => { }), TimeProvider.System).RunAsync(TestContext.Current.CancellationToken))
            findings.Add(finding);
        return findings;
    }

    /// <summary>Exactly this is found, and with this cure.</summary>
    private protected async Task<Finding> BreaksAsync(string check, string seen, string cure, FindingState state = FindingState.Problem, string yaml = Local, EndpointDoctorMachine? machine = null)
    {
        var finding = (await ExamineAsync(yaml, machine)).Where(IsBad).ShouldHaveSingleItem();
        (finding.Check, finding.State).ShouldBe((check, state), finding.ToString());
        finding.Seen.ShouldContain(seen);
        finding.Cure.ShouldContain(cure);
        return finding;
    }

    // A script in the place of the program; the comment is what GlibcNeed reads.
    private protected string WriteManager(string version, string glibc, string library = "printf 'openmpi\\n/opt/mpi/lib/libmpi.so.40\\nOpen MPI v4.1.4\\n'") => Scratch.Write($"manager-{Guid.NewGuid():N}",
        $"#!/bin/sh\n# GLIBC_{glibc}\ncase $1 in\n--version) echo 'funcx-manager {version}, protocol 1 to 1' ;;\n--mpi-library) {library} ;;\nesac\n", FileModes.PrivateDirectory);

    private protected void WriteOpenMpi() => Scratch.Write("bin/mpirun", "#!/bin/sh\necho 'mpirun (Open MPI) 4.1.4'\n", FileModes.PrivateDirectory);
}
