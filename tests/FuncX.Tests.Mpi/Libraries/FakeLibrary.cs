using System.Diagnostics;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Mpi.Libraries;

/// <summary>A libmpi that is wrong in one way, compiled from fake_libmpi.c.</summary>
internal sealed class FakeLibrary : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("funcx-mpi-fake-").FullName;

    public FakeLibrary(params string[] definitions)
    {
        Assert.SkipUnless(File.Exists("/usr/bin/gcc"), "gcc is not installed; tests/run installs it");
        Path = System.IO.Path.Combine(_folder, "libmpi.so");
        var source = System.IO.Path.Combine(AppContext.BaseDirectory, "Libraries/fake_libmpi.c");
        var start = new ProcessStartInfo("/usr/bin/gcc", ["-shared", "-fPIC", "-Wall", "-Werror", .. definitions.Select(static one => $"-D{one}"), "-o", Path, source])
        {
            UseShellExecute = false,
            RedirectStandardError = true,
        };
        using var compiler = Process.Start(start)!;
        var errors = compiler.StandardError.ReadToEnd();
        compiler.WaitForExit();
        compiler.ExitCode.ShouldBe(0, errors);
    }

    public string Path { get; }

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
