using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using FuncX.Manager.Engine;
using FuncX.Manager.Interop;
using FuncX.Wire;

namespace FuncX.Manager.Link;

/// <summary>
/// Keeps a connection to the endpoint: reads the rendezvous file anew for every try, backs off from 50 ms to 2 s, and gives up when there
/// was no endpoint for as long as the manager's patience.
/// </summary>
internal sealed class ManagerLink(Node node, ManagerOptions options, SlabPool slabs)
{
    private const double FirstWaitMilliseconds = 50;
    private const double LongestWaitMilliseconds = 2000;
    private static readonly TimeSpan s_connect = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_refused = TimeSpan.FromSeconds(10);

    private readonly string _id = Guid.NewGuid().ToString("N");
    private long _upAt = NodeTimer.Now;
    private long _refusedSince;
    private string _told = "";

    public async Task RunAsync()
    {
        var wait = FirstWaitMilliseconds;
        while (true)
        {
            var before = _upAt;
            var problem = await TryOnceAsync();
            if (_upAt != before)
            {
                wait = FirstWaitMilliseconds;
                _told = "";
            }

            if (problem != _told)
                node.Report(problem);
            _told = problem;
            var lost = TimeSpan.FromMicroseconds(NodeTimer.Now - _upAt);
            if (lost > options.Patience)
            {
                node.End(75, $"no endpoint for {lost.TotalSeconds:F0} s (patience is {options.Patience.TotalSeconds:F0} s); the last try: {problem}");
                return;
            }

            if (_refusedSince != 0 && NodeTimer.Now - _refusedSince > s_refused.TotalMicroseconds)
            {
                node.End(77, problem);
                return;
            }

            await Task.Delay(TimeSpan.FromMilliseconds(wait * (0.75 + (Random.Shared.NextDouble() * 0.5))));
            wait = Math.Min(wait * 2, LongestWaitMilliseconds);
        }
    }

    private async Task<string> TryOnceAsync()
    {
        var problem = "";
        try
        {
            var rendezvous = ReadRendezvous();
            foreach (var address in rendezvous.Addresses)
            {
                try
                {
                    return await UseAsync(address, rendezvous);
                }
                catch (Exception failure) when (failure is SocketException or IOException or OperationCanceledException or AuthenticationException or FrameException or FormatException)
                {
                    problem = $"connection to endpoint {address}: {(failure is OperationCanceledException ? "no answer in time" : failure.Message)}";
                }
            }

            _refusedSince = 0;
            return problem.Length > 0 ? problem : $"rendezvous file {options.Rendezvous} names no address";
        }
        catch (LinkRefusedException refusal)
        {
            if (_refusedSince == 0)
                _refusedSince = NodeTimer.Now;
            return $"the endpoint refused this manager: {refusal.Message}";
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or JsonException or InvalidDataException)
        {
            return $"rendezvous file {options.Rendezvous}: {failure.Message}";
        }
    }

    private async Task<string> UseAsync(string address, Rendezvous rendezvous)
    {
        var colon = address.LastIndexOf(':');
        if (colon < 0)
            throw new FormatException($"'{address}' is not host:port");
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        using (var timeout = new CancellationTokenSource(s_connect))
            await socket.ConnectAsync(address[..colon].Trim('[', ']'), int.Parse(address[(colon + 1)..]), timeout.Token);
        var stream = new SslStream(new NetworkStream(socket, ownsSocket: false), leaveInnerStreamOpen: false);
        await using var session = new LinkSession(node, stream, slabs);
        using (var timeout = new CancellationTokenSource(s_connect))
        {
            await stream.AuthenticateAsClientAsync(
                new SslClientAuthenticationOptions
                {
                    TargetHost = "funcx-endpoint",
                    EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
                    CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
                    RemoteCertificateValidationCallback = (_, certificate, _, _) => Matches(certificate, rendezvous.Fingerprint),
                },
                timeout.Token);
        }

        var welcome = await session.GreetAsync(new Hello
        {
            Role = "manager",
            Version = ProtocolVersion.Product,
            ProtocolMinimum = ProtocolVersion.Minimum,
            ProtocolMaximum = ProtocolVersion.Maximum,
            Secret = rendezvous.Secret,
            Block = rendezvous.Block,
            Manager = _id,
            Node = options.Node,
            Pid = Environment.ProcessId,
        });
        _refusedSince = 0;
        _upAt = NodeTimer.Now;
        node.OnLinkUp(session, welcome);
        try
        {
            await session.RunAsync(TimeSpan.FromMilliseconds(Math.Max(50, welcome.HeartbeatMs)));
            return $"endpoint {address} closed the connection";
        }
        finally
        {
            _upAt = NodeTimer.Now;
        }
    }

    private Rendezvous ReadRendezvous()
    {
        var mode = File.GetUnixFileMode(options.Rendezvous);
        const UnixFileMode Others = UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.OtherRead | UnixFileMode.OtherWrite;
        if ((mode & Others) != UnixFileMode.None)
            throw new InvalidDataException($"it holds a secret but others may read or write it ({mode}); its mode must be 0600");
        var rendezvous = JsonSerializer.Deserialize(File.ReadAllBytes(options.Rendezvous), MessageJson.Default.Rendezvous)!;
        return rendezvous.Fingerprint.Length == 64
            ? rendezvous
            : throw new InvalidDataException($"its fingerprint has {rendezvous.Fingerprint.Length} characters; a SHA-256 has 64 hexadecimal digits");
    }

    private static bool Matches(X509Certificate? certificate, string fingerprint)
    {
        if (certificate is null)
            return false;
        Span<byte> wanted = stackalloc byte[32];
        return Convert.FromHexString(fingerprint, wanted, out _, out var written) == System.Buffers.OperationStatus.Done && written == 32
            && CryptographicOperations.FixedTimeEquals(SHA256.HashData(certificate.GetRawCertData()), wanted);
    }
}
