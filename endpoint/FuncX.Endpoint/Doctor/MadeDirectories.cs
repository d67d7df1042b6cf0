namespace FuncX.Endpoint.Doctor;

/// <summary>Remembers which directories on the way to one were not there, and removes those again that have nothing in them.</summary>
internal sealed class MadeDirectories : IDisposable
{
    private readonly string _path;
    private readonly List<string> _missing = [];

    public MadeDirectories(string path)
    {
        _path = path;
        for (var directory = Path.GetFullPath(path); directory is not null && !Directory.Exists(directory); directory = Path.GetDirectoryName(directory))
            _missing.Add(directory);
    }

    public void Dispose()
    {
        if (_missing.Count == 0)
            return;
        try
        {
            Directory.Delete(Path.Combine(_path, "logs"));
            foreach (var directory in _missing)
                Directory.Delete(directory);
        }
        catch (Exception used) when (used is IOException or UnauthorizedAccessException)
        {
            // Somebody has put something there meanwhile: an endpoint that was started.
        }
    }
}
