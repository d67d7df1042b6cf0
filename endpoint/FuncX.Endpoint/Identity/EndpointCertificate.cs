using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace FuncX.Endpoint.Identity;

/// <summary>The key that managers know the endpoint by: self-signed, ECDSA P-256, pinned by its fingerprint.</summary>
public sealed class EndpointCertificate(X509Certificate2 certificate) : IDisposable
{
    public X509Certificate2 Certificate { get; } = certificate;

    /// <summary>SHA-256 of the certificate, 64 lower-case hexadecimal digits.</summary>
    public string Fingerprint { get; } = Convert.ToHexStringLower(SHA256.HashData(certificate.RawData));

    public void Dispose() => Certificate.Dispose();
}
