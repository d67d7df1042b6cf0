using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace FuncX.Endpoint.Doctor;

/// <summary>Listens where managers would dial in. Whoever connects is told a word and the time, and nothing is taken from them.</summary>
internal sealed class ReachListener : IAsyncDisposable
{
    private readonly CancellationTokenSource _end = new();
    private readonly List<TcpListener> _listeners = [];
    private readonly List<Task> _loops = [];
    private readonly TimeProvider _time;

    private ReachListener(TimeProvider time)
    {
        _time = time;
    }

    /// <summary>By which a node knows that it is this listener and no stranger's; no secret.</summary>
    public string Word { get; } = $"funcx-doctor-{Guid.NewGuid():N}";

    public IReadOnlyList<IPEndPoint> Bound => [.. _listeners.Select(static listener => (IPEndPoint)listener.LocalEndpoint)];

    /// <summary>Listens at a free port of each address.</summary>
    /// <exception cref="IOException">An address cannot be listened at.</exception>
    public static ReachListener Start(IEnumerable<IPAddress> addresses, TimeProvider time)
    {
        var reach = new ReachListener(time);
        foreach (var address in addresses)
        {
            var listener = new TcpListener(address, 0);
            reach._listeners.Add(listener);
            try
            {
                listener.Start();
            }
            catch (SocketException problem)
            {
                reach.Stop();
                throw new IOException($"nobody can be listened for at {address}: {problem.Message}", problem);
            }

            reach._loops.Add(reach.ServeAsync(listener));
        }

        return reach;
    }

    public async ValueTask DisposeAsync()
    {
        Stop();
        await Task.WhenAll(_loops);
        _end.Dispose();
    }

    private void Stop()
    {
        _end.Cancel();
        foreach (var listener in _listeners)
            listener.Dispose();
    }

    private async Task ServeAsync(TcpListener listener)
    {
        while (!_end.IsCancellationRequested)
        {
            try
            {
                using var peer = await listener.AcceptTcpClientAsync(_end.Token);
                var line = string.Create(CultureInfo.InvariantCulture, $"{Word} {_time.GetUtcNow().ToUnixTimeMilliseconds()}\n");
                await peer.GetStream().WriteAsync(Encoding.ASCII.GetBytes(line), _end.Token);
            }
            catch (Exception gone) when (gone is SocketException or IOException or OperationCanceledException or ObjectDisposedException)
            {
                // The peer's affair, or the end.
            }
        }
    }
}
