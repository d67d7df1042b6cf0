using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace FuncX.Service.Hosting;

/// <summary>Where the service's certificate lies: a PEM file with its key in another (or the same), or a PFX file.</summary>
/// <param name="Path">The PEM certificate with its chain, or the PFX file (named *.pfx or *.p12).</param>
/// <param name="KeyPath">The PEM key; null: it is in <paramref name="Path"/>.</param>
/// <param name="PasswordPath">A file with the PFX's or the key's password in its first line.</param>
public sealed record CertificateSettings(string Path, string? KeyPath, string? PasswordPath)
{
    /// <exception cref="ServiceRefusedException">A file is missing, not a certificate, or readable by others.</exception>
    public (X509Certificate2 Certificate, X509Certificate2Collection Chain) Load()
    {
        var key = KeyPath ?? Path;
        RequireSecret(key);
        if (PasswordPath is not null)
            RequireSecret(PasswordPath);
        try
        {
            var password = PasswordPath is null ? null : File.ReadLines(PasswordPath).FirstOrDefault();
            if (Path.EndsWith(".pfx", StringComparison.OrdinalIgnoreCase) || Path.EndsWith(".p12", StringComparison.OrdinalIgnoreCase))
                return (X509CertificateLoader.LoadPkcs12FromFile(Path, password), []);
            var certificate = password is null ? X509Certificate2.CreateFromPemFile(Path, key) : X509Certificate2.CreateFromEncryptedPemFile(Path, password, key);
            var chain = new X509Certificate2Collection();
            chain.ImportFromPemFile(Path);
            return (certificate, chain);
        }
        catch (Exception problem) when (problem is CryptographicException or IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new ServiceRefusedException(
                $"the certificate {Path} (key {key}) cannot be used: {problem.Message} Give a PEM certificate and its PEM key, or a .pfx file.", problem);
        }
    }

    private static void RequireSecret(string path)
    {
        if (!File.Exists(path))
            throw new ServiceRefusedException($"{path} does not exist; the certificate's settings name it.");
        const UnixFileMode Others = UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.GroupWrite;
        var mode = File.GetUnixFileMode(path);
        if ((mode & Others) != UnixFileMode.None)
            throw new ServiceRefusedException($"{path} holds a secret but others may read or write it ({mode}). Run: chmod 600 {path}");
    }
}
