using System.Net.Sockets;
using System.Net.Http.Json;

namespace FuncX.Endpoint.Control;

/// <summary>Speaks to the endpoint that runs with a state directory on this machine.</summary>
public sealed class ControlClient : IDisposable
{
    private readonly HttpClient _http;

    public ControlClient(string stateDirectory)
    {
        // The path of the socket itself, since the link's could be longer than an address may be.
        var link = ControlSocket.LinkIn(stateDirectory);
        var target = new FileInfo(link).LinkTarget is { } name ? Path.Combine(stateDirectory, name) : link;
        _http = new HttpClient(new SocketsHttpHandler
        {
            UseProxy = false,
            ConnectCallback = async (_, cancellation) =>
            {
                var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                try
                {
                    await socket.ConnectAsync(new UnixDomainSocketEndPoint(target), cancellation);
                    return new NetworkStream(socket, ownsSocket: true);
                }
                catch
                {
                    socket.Dispose();
                    throw;
                }
            },
        })
        {
            BaseAddress = new Uri("http://endpoint"),
            Timeout = TimeSpan.FromSeconds(10),
        };
    }

    /// <summary>The endpoint's status; null when none runs.</summary>
    /// <exception cref="HttpRequestException">One runs and answers with an error.</exception>
    public async Task<EndpointStatusReport?> StatusAsync(CancellationToken cancellation)
    {
        try
        {
            return await _http.GetFromJsonAsync<EndpointStatusReport>("/status", EndpointStatusReport.Json, cancellation);
        }
        catch (HttpRequestException problem) when (problem.InnerException is SocketException)
        {
            return null;
        }
    }

    /// <summary>Asks it to stop; false when none runs.</summary>
    /// <param name="force">Also without results that can be stored nowhere.</param>
    /// <param name="cancellation">Gives up waiting for the answer.</param>
    public Task<bool> StopAsync(bool force, CancellationToken cancellation) => PostAsync(force ? "/stop?force=true" : "/stop", cancellation);

    /// <summary>Tells it that this process takes its place: it stops and leaves the blocks running. False when none runs.</summary>
    public Task<bool> SupersedeAsync(CancellationToken cancellation) => PostAsync("/supersede", cancellation);

    /// <summary>Waits until a process of this machine is gone; false when it is still there after the time given.</summary>
    public static async Task<bool> WaitForEndAsync(int pid, TimeSpan patience, CancellationToken cancellation)
    {
        var deadline = DateTime.UtcNow + patience;
        while (IsAlive(pid))
        {
            if (DateTime.UtcNow > deadline)
                return false;
            await Task.Delay(25, cancellation);
        }

        return true;
    }

    // A process that nobody has waited for yet is gone all the same.
    private static bool IsAlive(int pid)
    {
        try
        {
            var stat = File.ReadAllText($"/proc/{pid}/stat");
            return stat[stat.LastIndexOf(')') + 2] is not ('Z' or 'X');
        }
        catch (IOException)
        {
            return false;
        }
    }

    private async Task<bool> PostAsync(string path, CancellationToken cancellation)
    {
        try
        {
            using var answer = await _http.PostAsync(path, content: null, cancellation);
            answer.EnsureSuccessStatusCode();
            return true;
        }
        catch (HttpRequestException problem) when (problem.InnerException is SocketException)
        {
            return false;
        }
    }

    public void Dispose() => _http.Dispose();
}
