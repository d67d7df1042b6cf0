using System.Net;
using System.Net.Sockets;

namespace FuncX.Endpoint.Doctor;

/// <summary>Asks a service for anything: what counts is that there is an answer, and the time in it.</summary>
internal sealed class ServiceProbe(TimeProvider time)
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(10);

    public async Task<ServiceAnswer> AskAsync(string service, CancellationToken cancellation)
    {
        // As the endpoint dials: directly on this machine, else over the proxy of the site when there is one.
        using var handler = new SocketsHttpHandler { UseProxy = !new Uri(service).IsLoopback, ConnectTimeout = s_limit, AllowAutoRedirect = false };
        using var client = new HttpClient(handler) { Timeout = s_limit };
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(service)) { Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionExact };
        var asked = time.GetUtcNow();
        try
        {
            using var answer = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellation);
            var between = asked + ((time.GetUtcNow() - asked) / 2);
            // A date has whole seconds: half of one has gone since, on the average.
            return new ServiceAnswer(ServiceReach.Answered, Ahead: answer.Headers.Date is { } date ? date + TimeSpan.FromMilliseconds(500) - between : null);
        }
        catch (HttpRequestException problem)
        {
            return new ServiceAnswer(ReachOf(problem), Words(problem));
        }
        catch (TaskCanceledException) when (!cancellation.IsCancellationRequested)
        {
            return new ServiceAnswer(ServiceReach.TooLate, $"no answer within {s_limit.TotalSeconds:F0} s");
        }
    }

    // What breaks off a connection that was made does not understand what it hears.
    private static ServiceReach ReachOf(HttpRequestException problem) => problem.HttpRequestError switch
    {
        HttpRequestError.NameResolutionError => ServiceReach.NameUnknown,
        HttpRequestError.SecureConnectionError => ServiceReach.NotTrusted,
        HttpRequestError.ProxyTunnelError => ServiceReach.NotConnected,
        _ => problem.GetBaseException() is SocketException { SocketErrorCode: not SocketError.ConnectionReset } ? ServiceReach.NotConnected : ServiceReach.NotHttp2,
    };

    // The reason is inside: "The SSL connection could not be established, see inner exception."
    private static string Words(HttpRequestException problem) => problem.GetBaseException().Message.TrimEnd('.');
}
