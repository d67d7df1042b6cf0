using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace FuncX.Endpoint.Identity;

/// <summary><c>certificate.pem</c> in the state directory, mode 0600: certificate and key, made once.</summary>
public static class CertificateFile
{
    private const string Name = "certificate.pem";

    /// <summary>Reads it, or makes it when there is none.</summary>
    /// <exception cref="EndpointRefusedException">It is damaged, expired or open to others.</exception>
    public static EndpointCertificate LoadOrCreate(string stateDirectory, TimeProvider time)
    {
        var path = Path.Combine(stateDirectory, Name);
        try
        {
            if (!File.Exists(path))
                Create(path, time.GetUtcNow());
            PrivateFile.RefuseOthers(path);
            var certificate = X509Certificate2.CreateFromPemFile(path);
            if (certificate.NotAfter.ToUniversalTime() < time.GetUtcNow().UtcDateTime)
                throw new EndpointRefusedException($"{path} expired on {certificate.NotAfter:yyyy-MM-dd}. End running blocks, remove the file and start again: a new one is made");
            return new EndpointCertificate(certificate);
        }
        catch (Exception problem) when (problem is CryptographicException or InvalidDataException or IOException or UnauthorizedAccessException)
        {
            throw new EndpointRefusedException($"the certificate {path} cannot be used: {problem.Message}. Without it running blocks cannot return; remove it only when there are none", problem);
        }
    }

    private static void Create(string path, DateTimeOffset now)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=funcx-endpoint", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: false, hasPathLengthConstraint: false, 0, critical: true));
        // Begun yesterday: clocks of nodes lag. Pinned by its fingerprint, so its length of life is no protection and only has to be long.
        using var certificate = request.CreateSelfSigned(now.AddDays(-1), now.AddYears(20));
        PrivateFile.Write(path, Encoding.ASCII.GetBytes($"{certificate.ExportCertificatePem()}\n{key.ExportPkcs8PrivateKeyPem()}\n"));
    }
}
