using System.Net.Sockets;
using Grpc.Core;

namespace FuncX.Endpoint.Dispatch;

/// <summary>Tells the end of a connection, which is nobody's mistake here, from a defect of the code that writes to it.</summary>
internal static class TransportFailure
{
    /// <summary>True for what a connection throws that is broken, closed or given up.</summary>
    public static bool Is(Exception problem) =>
        problem is RpcException or IOException or HttpRequestException or SocketException or OperationCanceledException or ObjectDisposedException or TimeoutException;
}
