using System.Text;

namespace FuncX.Manager.Interop;

/// <summary>Lines that several processes, on several nodes, add to one file.</summary>
internal static unsafe class AppendedFile
{
    /// <summary>Adds a line at once. A file that is not there stays away: who reads it makes it.</summary>
    /// <returns>Whether it is there now.</returns>
    public static bool TryAdd(string path, string line)
    {
        // .NET's FileMode.Append looks for the end once; O_APPEND finds it at each write, whoever wrote in between.
        var file = Libc.Open(path, Libc.O_WRONLY | Libc.O_APPEND | Libc.O_CLOEXEC);
        if (file < 0)
            return false;
        var bytes = Encoding.UTF8.GetBytes(line + '\n');
        nint written;
        fixed (byte* text = bytes)
            written = Libc.Write(file, text, (nuint)bytes.Length);
        return Libc.Close(file) == 0 && written == bytes.Length;
    }
}
