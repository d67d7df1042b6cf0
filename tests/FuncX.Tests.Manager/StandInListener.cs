using System.Buffers.Binary;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using FuncX.Wire;

namespace FuncX.Tests.Manager;

/// <summary>Where a played endpoint is found: certificate, secret, rendezvous file, and a thread for each connection.</summary>
internal sealed class StandInListener : IDisposable
{
    private readonly X509Certificate2 _certificate;
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly Action<TcpClient, SslStream> _serve;
    private volatile bool _closing;
    private int _accepted;

    public StandInListener(string directory, Action<TcpClient, SslStream> serve)
    {
        Directory.CreateDirectory(directory);
        RendezvousFile = Path.Combine(directory, "rendezvous.json");
        _serve = serve;
        using var key = RSA.Create(2048);
        var request = new CertificateRequest("CN=funcx-endpoint", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        using var made = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        _certificate = X509CertificateLoader.LoadPkcs12(made.Export(X509ContentType.Pfx), null);
        _listener.Start();
        WriteRendezvous();
        new Thread(Accept) { IsBackground = true }.Start();
    }

    public string RendezvousFile { get; }

    public string Secret { get; } = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));

    /// <summary>SHA-256 of the certificate that it shows, hexadecimal.</summary>
    public string Fingerprint => Convert.ToHexStringLower(SHA256.HashData(_certificate.RawData));

    /// <summary>Connections that were begun, whatever became of them.</summary>
    public int Accepted => _accepted;

    /// <summary>Reads one whole frame.</summary>
    public static byte[] Read(Stream stream, out FrameHeader header)
    {
        var head = new byte[FrameHeader.Size];
        stream.ReadExactly(head);
        header = FrameHeader.Read(head);
        var frame = new byte[BinaryPrimitives.ReadInt32LittleEndian(head)];
        head.CopyTo(frame, 0);
        stream.ReadExactly(frame.AsSpan(FrameHeader.Size));
        return frame;
    }

    /// <summary>Writes the file anew, as the endpoint does: private, and replaced whole.</summary>
    /// <param name="fingerprint">Another one than the certificate's.</param>
    public void WriteRendezvous(string? fingerprint = null)
    {
        var temporary = RendezvousFile + ".new";
        using (var stream = new FileStream(temporary, new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite }))
        {
            JsonSerializer.Serialize(stream, new
            {
                addresses = new[] { $"127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}" },
                fingerprint = fingerprint ?? Fingerprint,
                secret = Secret,
                block = "b1",
            });
        }

        File.Move(temporary, RendezvousFile, overwrite: true);
    }

    /// <summary>Takes no more connections.</summary>
    public void Stop()
    {
        _closing = true;
        _listener.Stop();
    }

    public void Dispose()
    {
        Stop();
        _certificate.Dispose();
    }

    private void Accept()
    {
        while (!_closing)
        {
            try
            {
                var client = _listener.AcceptTcpClient();
                Interlocked.Increment(ref _accepted);
                client.NoDelay = true;
                var stream = new SslStream(client.GetStream());
                stream.AuthenticateAsServer(_certificate);
                new Thread(() => _serve(client, stream)) { IsBackground = true }.Start();
            }
            catch (Exception problem) when (problem is SocketException or IOException or ObjectDisposedException or System.Security.Authentication.AuthenticationException)
            {
                // The listener ended, or a manager broke off.
            }
        }
    }
}
