using FuncX.Configuration;
using FuncX.Contracts;
using FuncX.Contracts.V1;
using Grpc.Core;
using Grpc.Net.Client;

namespace FuncX.Endpoint.Identity;

/// <summary>
/// Gets the endpoint its identity: the one in <c>identity.json</c> while its service takes the credential, else a new one, registered with the
/// user's token.
/// </summary>
public sealed partial class EndpointRegistration(EndpointConfiguration configuration, string? tokenFile, TimeProvider time, ILogger<EndpointRegistration> logger)
{
    /// <summary>The cure where there is no token.</summary>
    internal const string HowToLogIn = "Run `funcx login`, or name a file with your token: --token-file FILE";

    private static readonly TimeSpan s_answer = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(15);

    private readonly string _path = Path.Combine(configuration.StateDirectory, "identity.json");

    /// <summary>The identity to start with. A service that cannot be reached is no obstacle to an endpoint that has one: its link goes on dialling.</summary>
    /// <exception cref="EndpointRefusedException">There is none and none could be had.</exception>
    public async Task<EndpointIdentity> LoadOrRegisterAsync(CancellationToken cancellation)
    {
        IdentityFile? file;
        try
        {
            file = PrivateFile.ReadJson<IdentityFile>(_path);
        }
        catch (InvalidDataException problem)
        {
            throw new EndpointRefusedException(problem.Message, problem);
        }

        using var channel = Open(configuration.Service);
        if (file is not null && file.Service == configuration.Service && file.Name == configuration.Name)
        {
            if (!await IsRefusedAsync(channel, file.Credential, cancellation))
                return IdentityOf(file);
            Log.Refused(logger, configuration.Service, configuration.Name);
        }

        return IdentityOf(await RegisterAsync(channel, cancellation));
    }

    /// <summary>Deletes it at its service, with the user's token. One that the service does not know any more is deleted.</summary>
    /// <exception cref="EndpointRefusedException">There is no token, or the service cannot be reached or refuses.</exception>
    public static async Task DeleteAsync(IdentityFile identity, string? tokenFile, TimeProvider time, CancellationToken cancellation)
    {
        var (token, source) = ReadToken(identity.Service, tokenFile)
            ?? throw new EndpointRefusedException($"{CredentialsFile.DefaultPath} has no token for {identity.Service}, where endpoint '{identity.Name}' is registered. {HowToLogIn}");
        using var channel = Open(identity.Service);
        try
        {
            await new Endpoints.EndpointsClient(channel).DeleteAsync(new DeleteEndpointRequest { EndpointId = identity.EndpointId }, Bearer(token),
                time.GetUtcNow().UtcDateTime + s_answer, cancellation);
        }
        catch (RpcException problem) when (problem.StatusCode is StatusCode.NotFound)
        {
            // Deleted before, by `funcx endpoint delete` perhaps.
        }
        catch (RpcException problem)
        {
            throw new EndpointRefusedException(problem.StatusCode is StatusCode.Unauthenticated or StatusCode.PermissionDenied
                ? $"{identity.Service} refused to delete endpoint '{identity.Name}' with the token of {source}: {problem.Status.Detail}"
                : $"{identity.Service} could not delete endpoint '{identity.Name}' ({problem.StatusCode}): {problem.Status.Detail}", problem);
        }
    }

    private static GrpcChannel Open(string service) => GrpcChannel.ForAddress(service, new GrpcChannelOptions
    {
        // A proxy of the site is for what is outside: this machine is reached directly.
        HttpHandler = new SocketsHttpHandler { UseProxy = !new Uri(service).IsLoopback, ConnectTimeout = s_answer },
        DisposeHttpClient = true,
    });

    /// <summary>The user's token and where it came from; null when none was named and none is saved for the service.</summary>
    /// <exception cref="EndpointRefusedException">The file with it cannot be read, is none, or is open to others.</exception>
    internal static (string Token, string Source)? ReadToken(string service, string? tokenFile)
    {
        try
        {
            if (tokenFile is not null)
            {
                PrivateFile.RefuseOthers(tokenFile);
                var token = File.ReadAllText(tokenFile).Trim();
                return token.Length is > 0 and <= 4_096 && !token.Any(char.IsWhiteSpace)
                    ? (token, tokenFile)
                    : throw new EndpointRefusedException($"{tokenFile} does not hold a token; expected one line of text");
            }

            var credentials = CredentialsFile.Read(CredentialsFile.DefaultPath);
            foreach (var (address, token) in credentials.Tokens)
            {
                if (string.Equals(address.TrimEnd('/'), service, StringComparison.OrdinalIgnoreCase))
                    return (token, CredentialsFile.DefaultPath);
            }
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            throw new EndpointRefusedException(problem.Message, problem);
        }

        return null;
    }

    // The credential is good for the link only: anything else answers PERMISSION_DENIED while it lives and UNAUTHENTICATED once it is dead.
    private async Task<bool> IsRefusedAsync(GrpcChannel channel, string credential, CancellationToken cancellation)
    {
        try
        {
            await new Endpoints.EndpointsClient(channel).GetAsync(new GetEndpointRequest { Endpoint = configuration.Name }, Bearer(credential),
                time.GetUtcNow().UtcDateTime + s_answer, cancellation);
        }
        catch (RpcException problem)
        {
            return problem.StatusCode == StatusCode.Unauthenticated;
        }

        return false;
    }

    private async Task<IdentityFile> RegisterAsync(GrpcChannel channel, CancellationToken cancellation)
    {
        var (token, source) = ReadToken(configuration.Service, tokenFile) ?? throw new EndpointRefusedException(
            $"endpoint '{configuration.Name}' is not registered at {configuration.Service}, and {CredentialsFile.DefaultPath} has no token for that address. {HowToLogIn}");
        var client = new Endpoints.EndpointsClient(channel);
        var request = new RegisterEndpointRequest { Name = configuration.Name, Description = configuration.Description };
        var begun = time.GetTimestamp();
        while (true)
        {
            try
            {
                var reply = await client.RegisterAsync(request, Bearer(token), time.GetUtcNow().UtcDateTime + s_answer, cancellation);
                var file = new IdentityFile(reply.EndpointId, reply.Credential, configuration.Service, configuration.Name);
                PrivateFile.WriteJson(_path, file);
                Log.Registered(logger, configuration.Name, file.EndpointId, configuration.Service);
                return file;
            }
            catch (RpcException problem) when (problem.StatusCode is StatusCode.Unavailable && time.GetElapsedTime(begun) < s_patience)
            {
                // Service and endpoint are often started together.
                await Task.Delay(TimeSpan.FromMilliseconds(250), time, cancellation);
            }
            catch (RpcException problem)
            {
                throw new EndpointRefusedException(problem.StatusCode is StatusCode.Unauthenticated or StatusCode.PermissionDenied
                    ? $"{configuration.Service} refused to register endpoint '{configuration.Name}' with the token of {source}: {problem.Status.Detail}"
                    : $"{configuration.Service} could not register endpoint '{configuration.Name}' ({problem.StatusCode}): {problem.Status.Detail}", problem);
            }
        }
    }

    private static Metadata Bearer(string token) => new() { { "authorization", $"Bearer {token}" } };

    private static EndpointIdentity IdentityOf(IdentityFile file) => new()
    {
        EndpointId = file.EndpointId,
        Credential = file.Credential,
        ServiceAddress = file.Service,
        Instance = Guid.NewGuid().ToString("N"),
    };

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Information, Message = "endpoint '{Name}' registered as {EndpointId} at {Service}")]
        public static partial void Registered(ILogger logger, string name, string endpointId, string service);

        [LoggerMessage(Level = LogLevel.Warning, Message = "{Service} no longer takes the credential of endpoint '{Name}'; registering again with the user's token")]
        public static partial void Refused(ILogger logger, string service, string name);
    }
}
