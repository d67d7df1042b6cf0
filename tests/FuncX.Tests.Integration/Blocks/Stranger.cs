using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace FuncX.Tests.Integration.Blocks;

/// <summary>Listens where an endpoint listened, with a certificate of its own, and counts what it is told behind the handshake.</summary>
internal sealed class Stranger : IDisposable
{
    private readonly X509Certificate2 _certificate;
    private readonly TcpListener _listener;
    private readonly CancellationTokenSource _end = new();
    private int _dialled;
    private int _heard;

    private Stranger(int port)
    {
        using var key = RSA.Create(2048);
        using var made = new CertificateRequest("CN=funcx-endpoint", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1).CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        _certificate = X509CertificateLoader.LoadPkcs12(made.Export(X509ContentType.Pfx), null);
        _listener = new TcpListener(IPAddress.Loopback, port);
        _listener.Server.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        _listener.Start();
        _ = AcceptAsync();
    }

    public static Stranger On(int port) => new(port);

    /// <summary>Connections that have come and ended.</summary>
    public int Dialled => Volatile.Read(ref _dialled);

    /// <summary>Bytes behind the handshakes.</summary>
    public int Heard => Volatile.Read(ref _heard);

    public void Dispose()
    {
        _end.Cancel();
        _listener.Dispose();
        _certificate.Dispose();
        _end.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
                _ = ServeAsync(await _listener.AcceptTcpClientAsync(_end.Token));
        }
        catch (Exception over) when (over is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        try
        {
            await using var stream = new SslStream(client.GetStream());
            await stream.AuthenticateAsServerAsync(_certificate);
            // Those who dial look at the certificate when the handshake is over for this side already.
            var bytes = new byte[4096];
            while (await stream.ReadAsync(bytes) is var count and > 0)
                Interlocked.Add(ref _heard, count);
        }
        catch (Exception refused) when (refused is IOException or AuthenticationException or ObjectDisposedException)
        {
            // As it should be.
        }
        finally
        {
            client.Dispose();
            Interlocked.Increment(ref _dialled);
        }
    }
}
