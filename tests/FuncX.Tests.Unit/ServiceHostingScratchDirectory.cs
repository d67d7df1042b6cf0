namespace FuncX.Tests.Unit.ServiceFront;

/// <summary>A directory that is gone after the test.</summary>
internal sealed class ScratchDirectory : IDisposable
{
    public ScratchDirectory() => Directory.CreateDirectory(Path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);

    public string Path { get; } = RunningService.NewDirectory();

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
