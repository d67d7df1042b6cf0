using System.Text;
using FuncX.Configuration;

namespace FuncX.Endpoint.Doctor;

/// <summary>Lines for bash or a scheduler in a file that nobody else can read, unlike an argument list; gone when it is disposed.</summary>
internal sealed class TemporaryScript : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("funcx-doctor-").FullName;

    public TemporaryScript(string text)
    {
        Path = System.IO.Path.Combine(_directory, "script.sh");
        Write(Path, text);
    }

    public string Path { get; }

    /// <summary>Writes a script that may be started.</summary>
    public static void Write(string path, string text)
    {
        using var stream = new FileStream(path, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = FileModes.PrivateDirectory });
        stream.Write(Encoding.UTF8.GetBytes(text));
    }

    public void Dispose() => Directory.Delete(_directory, recursive: true);
}
