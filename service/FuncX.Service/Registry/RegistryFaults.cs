using Grpc.Core;
using Grpc.Core.Interceptors;
using Microsoft.Data.Sqlite;

namespace FuncX.Service.Registry;

/// <summary>Turns what can go wrong with registry.db into refusals that name it.</summary>
public sealed partial class RegistryFaults(RegistryDatabase database, ILogger<RegistryFaults> logger) : Interceptor
{
    private const int Busy = 5;
    private const int Locked = 6;
    private const int InputOutput = 10;
    private const int Full = 13;

    public override async Task<TResponse> UnaryServerHandler<TRequest, TResponse>(
        TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation)
    {
        try
        {
            return await continuation(request, context);
        }
        catch (SqliteException problem) when (problem.SqliteErrorCode is Full or InputOutput)
        {
            LogUnwritable(logger, database.Path, problem.Message);
            throw new RpcException(new Status(
                StatusCode.ResourceExhausted, $"{database.Path} cannot be written ({problem.Message}). Nothing was changed; make room on its file system and try again."));
        }
        catch (SqliteException problem) when (problem.SqliteErrorCode is Busy or Locked)
        {
            throw new RpcException(new Status(StatusCode.Unavailable, $"{database.Path} was locked by another process for too long. Nothing was changed; try again."));
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "{Path} cannot be written: {Problem}")]
    private static partial void LogUnwritable(ILogger logger, string path, string problem);
}
