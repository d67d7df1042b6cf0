using System.Globalization;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using FuncX.Manager.Interop;
using FuncX.Wire;

namespace FuncX.Manager.Link;

/// <summary>
/// Keeps a connection to the endpoint: reads the rendezvous file anew for every try, backs off between them, and gives up when there
/// was no endpoint for as long as the manager's patience.
/// </summary>
internal sealed class EndpointDialler(ILinkUser user, ManagerOptions options)
{
    private static readonly TimeSpan s_connect = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_refused = TimeSpan.FromSeconds(10);

    private readonly string _id = Guid.NewGuid().ToString("N");
    private long _upAt = NodeTimer.Now;
    private long _refusedSince;
    private bool _welcomed;
    private string _told = "";

    public async Task RunAsync()
    {
        var backOff = new LinkBackOff(Random.Shared);
        while (true)
        {
            var before = _upAt;
            var problem = await TryOnceAsync();
            if (_upAt != before)
            {
                backOff.Reset();
                _told = "";
            }

            if (problem != _told)
                user.Report(problem);
            _told = problem;
            var lost = TimeSpan.FromMicroseconds(NodeTimer.Now - _upAt);
            if (lost > options.Patience)
            {
                user.End(75, $"no endpoint for {lost.TotalSeconds:F0} s (patience is {options.Patience.TotalSeconds:F0} s); the last try: {problem}");
                return;
            }

            if (_refusedSince != 0 && NodeTimer.Now - _refusedSince > s_refused.TotalMicroseconds)
            {
                user.End(77, problem);
                return;
            }

            await Task.Delay(backOff.Next());
        }
    }

    private async Task<string> TryOnceAsync()
    {
        var problem = "";
        try
        {
            var rendezvous = RendezvousFile.Read(options.Rendezvous);
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
        if (colon < 0 || !ushort.TryParse(address.AsSpan(colon + 1), CultureInfo.InvariantCulture, out var port))
            throw new FormatException($"'{address}' is not host:port");
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        using (var timeout = new CancellationTokenSource(s_connect))
            await socket.ConnectAsync(address[..colon].Trim('[', ']'), port, timeout.Token);
        var stream = new SslStream(new NetworkStream(socket, ownsSocket: false), leaveInnerStreamOpen: false);
        await using (stream)
        {
            await AuthenticateAsync(stream, rendezvous.Fingerprint);
            var hello = new Hello
            {
                Role = user.Role,
                Version = ProtocolVersion.Product,
                ProtocolMinimum = ProtocolVersion.Minimum,
                ProtocolMaximum = ProtocolVersion.Maximum,
                Secret = rendezvous.Secret,
                Block = rendezvous.Block,
                Manager = _id,
                Node = user.Node,
                Pid = Environment.ProcessId,
            };
            try
            {
                await user.ServeAsync(stream, hello, Welcomed);
                return $"endpoint {address} closed the connection";
            }
            finally
            {
                if (_welcomed)
                    _upAt = NodeTimer.Now;
                _welcomed = false;
            }
        }
    }

    private void Welcomed()
    {
        _refusedSince = 0;
        _upAt = NodeTimer.Now;
        _welcomed = true;
    }

    /// <summary>Returns once the other side has proved that it is the endpoint; until then nothing is sent that it could use.</summary>
    private static async Task AuthenticateAsync(SslStream stream, string fingerprint)
    {
        var wanted = Convert.FromHexString(fingerprint);
        byte[]? seen = null;
        using var timeout = new CancellationTokenSource(s_connect);
        try
        {
            await stream.AuthenticateAsClientAsync(
                new SslClientAuthenticationOptions
                {
                    TargetHost = "funcx-endpoint",
                    EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
                    CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
                    RemoteCertificateValidationCallback = (_, certificate, _, _) =>
                    {
                        seen = certificate is null ? null : SHA256.HashData(certificate.GetRawCertData());
                        return seen is not null && CryptographicOperations.FixedTimeEquals(seen, wanted);
                    },
                },
                timeout.Token);
        }
        catch (AuthenticationException problem) when (seen is not null && !seen.AsSpan().SequenceEqual(wanted))
        {
            throw new AuthenticationException(
                $"its certificate has the fingerprint {Convert.ToHexStringLower(seen)}, and the rendezvous file names {fingerprint}: it is not the endpoint that wrote that file", problem);
        }
    }
}
