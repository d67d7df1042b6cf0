using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text.Json;

namespace FuncX.Endpoint.Control;

/// <summary>Speaks to the endpoint that runs with a state directory on this machine.</summary>
public sealed class ControlClient : IDisposable
{
    private static readonly TimeSpan s_answer = TimeSpan.FromSeconds(10);

    private readonly TimeProvider _time;
    private readonly HttpClient _http;

    public ControlClient(string stateDirectory, TimeProvider time)
    {
        _time = time;
        Owner = ControlSocket.OwnerIn(stateDirectory);
        _http = new HttpClient(new SocketsHttpHandler
        {
            UseProxy = false,
            ConnectCallback = async (_, cancellation) => new NetworkStream(await ConnectAsync(stateDirectory, cancellation), ownsSocket: true),
        })
        {
            BaseAddress = new Uri("http://endpoint"),
            Timeout = Timeout.InfiniteTimeSpan,
        };
    }

    /// <summary>The process that this state directory names, on whatever machine; it may be gone. Null: none.</summary>
    public ControlOwner? Owner { get; }

    /// <summary>The endpoint's status; null when none runs on this machine.</summary>
    /// <exception cref="ControlException">One runs and gives no answer, or none that makes sense.</exception>
    public async Task<EndpointStatusReport?> StatusAsync(CancellationToken cancellation)
    {
        using var answer = await AskAsync(HttpMethod.Get, "/status", cancellation);
        if (answer is null)
            return null;
        try
        {
            return await answer.Content.ReadFromJsonAsync<EndpointStatusReport>(EndpointStatusReport.Json, cancellation);
        }
        catch (JsonException problem)
        {
            throw new ControlException($"the endpoint's process {Owner?.Pid} answers what is no status; is it of another version? {problem.Message}", problem);
        }
    }

    /// <summary>Asks it to stop; false when none runs.</summary>
    /// <param name="force">Also without results that can be stored nowhere.</param>
    /// <param name="cancellation">Gives up waiting for the answer.</param>
    /// <exception cref="ControlException">One runs and gives no answer.</exception>
    /// <param name="keep">Its blocks are left running.</param>
    public Task<bool> StopAsync(bool force, CancellationToken cancellation, bool keep = false) =>
        PostAsync((force, keep) switch { (true, true) => "/stop?force=true&keep=true", (true, _) => "/stop?force=true", (_, true) => "/stop?keep=true", _ => "/stop" }, cancellation);

    /// <summary>Asks it to stop once what runs has ended; false when none runs.</summary>
    /// <exception cref="ControlException">One runs and gives no answer.</exception>
    public Task<bool> DrainAsync(CancellationToken cancellation) => PostAsync("/drain", cancellation);

    /// <summary>Orders a number of blocks; false when none runs.</summary>
    /// <param name="blocks">A number, or <c>auto</c>.</param>
    /// <param name="cancellation">Gives up waiting for the answer.</param>
    /// <exception cref="ControlException">One runs and gives no answer, or refuses the number.</exception>
    public Task<bool> ScaleAsync(string blocks, CancellationToken cancellation) => PostAsync($"/scale?blocks={Uri.EscapeDataString(blocks)}", cancellation);

    /// <summary>Tells it that this process takes its place: it stops and leaves the blocks running. False when none runs.</summary>
    /// <exception cref="ControlException">One runs and gives no answer.</exception>
    public Task<bool> SupersedeAsync(CancellationToken cancellation) => PostAsync("/supersede", cancellation);

    /// <summary>Waits until a process of this machine is gone; false when it is still there after the time given.</summary>
    public async Task<bool> WaitForEndAsync(int pid, TimeSpan patience, CancellationToken cancellation)
    {
        var begun = _time.GetTimestamp();
        while (IsAlive(pid))
        {
            if (_time.GetElapsedTime(begun) > patience)
                return false;
            await Task.Delay(TimeSpan.FromMilliseconds(25), _time, cancellation);
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
        using var answer = await AskAsync(HttpMethod.Post, path, cancellation);
        return answer is not null;
    }

    private async Task<HttpResponseMessage?> AskAsync(HttpMethod method, string path, CancellationToken cancellation)
    {
        if (Owner is not { IsOnThisMachine: true } owner)
            return null;
        using var late = new CancellationTokenSource(s_answer, _time);
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancellation);
        try
        {
            using var request = new HttpRequestMessage(method, path);
            var answer = await _http.SendAsync(request, ended.Token);
            if (answer.IsSuccessStatusCode)
                return answer;
            if (answer.StatusCode == HttpStatusCode.BadRequest)
            {
                using (answer)
                    throw new ControlException(await answer.Content.ReadAsStringAsync(cancellation));
            }

            using (answer)
                throw new ControlException($"the endpoint's process {owner.Pid} answers {method} {path} with {(int)answer.StatusCode}; its log says why");
        }
        catch (HttpRequestException problem) when (problem.InnerException is SocketException)
        {
            return null;
        }
        catch (HttpRequestException problem)
        {
            throw new ControlException($"the endpoint's process {owner.Pid} cannot be asked over its control socket: {problem.Message}", problem.InnerException ?? problem);
        }
        catch (OperationCanceledException problem) when (late.IsCancellationRequested && !cancellation.IsCancellationRequested)
        {
            throw new ControlException(
                $"the endpoint's process {owner.Pid} has its control socket open and did not answer within {s_answer.TotalSeconds:0} s. `ps -o pid,stat,wchan,cmd -p {owner.Pid}` says whether it is stopped (T) or waits for a disk (D)",
                problem);
        }
    }

    private async Task<Socket> ConnectAsync(string stateDirectory, CancellationToken cancellation)
    {
        using var address = new SocketAddress(stateDirectory, Owner!.Value.SocketName);
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(address.Path), cancellation);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    public void Dispose() => _http.Dispose();
}
