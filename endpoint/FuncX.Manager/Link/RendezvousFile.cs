using System.Text.Json;
using FuncX.Manager.Interop;

namespace FuncX.Manager.Link;

/// <summary>Reads the rendezvous file. It says whom to trust with the block's secret, so it is this user's own and nobody else's to read or write, or it is not used.</summary>
internal static class RendezvousFile
{
    private const int MostBytes = 1 << 20;
    private const int FingerprintDigits = 64;
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    /// <exception cref="InvalidDataException">Others had their hands on it, or it is no rendezvous file; the message says what was seen.</exception>
    public static Rendezvous Read(string path)
    {
        // By name before it is opened, which would wait for the other end of a pipe; then again what was opened, whatever has come in its place since.
        Check(FileOwnership.Of(path), path);
        using var file = File.OpenHandle(path);
        Check(FileOwnership.Of(file), path);
        var length = RandomAccess.GetLength(file);
        if (length > MostBytes)
            throw new InvalidDataException($"it has {length} bytes; {MostBytes} are the most");
        var text = new byte[length];
        var read = RandomAccess.Read(file, text, 0);
        var rendezvous = JsonSerializer.Deserialize(text.AsSpan(0, read), MessageJson.Default.Rendezvous);
        if (rendezvous is not { Addresses: not null, Fingerprint: not null, Secret: not null, Block: not null })
            throw new InvalidDataException("it lacks addresses, fingerprint, secret or block");
        if (rendezvous.Fingerprint.Length != FingerprintDigits || !rendezvous.Fingerprint.All(char.IsAsciiHexDigit))
            throw new InvalidDataException($"its fingerprint '{rendezvous.Fingerprint}' is none; a SHA-256 has {FingerprintDigits} hexadecimal digits");
        return rendezvous;
    }

    private static void Check(in FileOwnership file, string path)
    {
        if (file.Kind == FileOwnership.SymbolicLink)
            throw new InvalidDataException("it is a symbolic link; it must be the file that the endpoint wrote");
        if (file.Kind != FileOwnership.RegularFile)
            throw new InvalidDataException("it is no regular file");
        if (file.Owner != FileOwnership.CurrentUser)
            throw new InvalidDataException($"it belongs to user id {file.Owner}, and this is {FileOwnership.CurrentUser}; it must be this user's own");
        if ((file.Mode & ~Private) != UnixFileMode.None)
            throw new InvalidDataException($"it holds a secret but others may read or write it (0{Convert.ToString((int)file.Mode, 8).PadLeft(3, '0')}). Run: chmod 600 {path}");
    }
}
