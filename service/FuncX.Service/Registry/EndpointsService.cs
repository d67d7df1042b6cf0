using FuncX.Contracts.V1;
using FuncX.Service.Auth;
using FuncX.Service.Limits;
using FuncX.Service.Links;
using FuncX.Service.Storage;
using Grpc.Core;

namespace FuncX.Service.Registry;

/// <summary><c>funcx.v1.Endpoints</c>.</summary>
public sealed class EndpointsService(EndpointCatalog catalog, ServiceLimits limits, RevocationWatch revocations, EndpointPresence presence) : Endpoints.EndpointsBase
{
    private const int MostNameCharacters = 64;

    public override async Task<RegisterEndpointReply> Register(RegisterEndpointRequest request, ServerCallContext context)
    {
        var caller = context.GetCaller();
        CheckName(request.Name);
        FunctionRegistration.CheckDescription(request.Description);
        if (!catalog.TryRegister(caller.Owner, request.Name, request.Description, limits, out var endpoint, out var credential))
            throw Refuse.Exhausted($"user '{caller.UserName}' has {limits.EndpointsPerUser} endpoints, which is the limit endpoints_per_user. Delete some first.");
        // The earlier credential's link ends before the new one is handed out.
        await revocations.LookNowAsync();
        return new RegisterEndpointReply { EndpointId = endpoint.EndpointId, Credential = credential };
    }

    public override async Task<EndpointInfo> Get(GetEndpointRequest request, ServerCallContext context)
    {
        var owner = context.GetCaller().Owner;
        var endpoint = catalog.TryGet(owner, request.Endpoint, out var found) ? found : catalog.FindByName(owner, request.Endpoint);
        return endpoint is null ? throw Refuse.UnknownEndpoint(request.Endpoint) : await DescribeAsync(endpoint);
    }

    public override async Task<ListEndpointsReply> List(ListEndpointsRequest request, ServerCallContext context)
    {
        var reply = new ListEndpointsReply();
        foreach (var endpoint in catalog.List(context.GetCaller().Owner))
            reply.Endpoints.Add(await DescribeAsync(endpoint));
        return reply;
    }

    public override async Task<DeleteEndpointReply> Delete(DeleteEndpointRequest request, ServerCallContext context)
    {
        if (!catalog.TryDelete(context.GetCaller().Owner, request.EndpointId, out var deleted))
            throw Refuse.UnknownEndpoint(request.EndpointId);
        try
        {
            // First the link, so that the endpoint hears why; ended by the end of its tasks it would only try again.
            await revocations.LookNowAsync();
        }
        finally
        {
            await EndTasksAsync(deleted);
        }

        return new DeleteEndpointReply();
    }

    private async Task EndTasksAsync(EndpointRecord deleted)
    {
        try
        {
            await catalog.RaiseDeletedAsync(deleted);
        }
        catch (StorageFullException problem)
        {
            throw Refuse.Exhausted($"endpoint '{deleted.Name}' is deleted, but its unfinished tasks could not be ended yet: {problem.Message} They are ended as soon as there is room.");
        }
    }

    private async ValueTask<EndpointInfo> DescribeAsync(EndpointRecord endpoint)
    {
        var known = await presence.GetAsync(endpoint.Number);
        return new EndpointInfo
        {
            EndpointId = endpoint.EndpointId,
            Name = endpoint.Name,
            Description = endpoint.Description,
            RegisteredAt = endpoint.RegisteredAt,
            Online = known.Online,
            LastSeen = Math.Max(known.LastSeen, endpoint.LastSeen),
            Epoch = known.Epoch,
            Version = known.Version.Length > 0 ? known.Version : endpoint.Version,
            Status = known.Status,
            Queued = known.Queued,
            Dispatched = known.Dispatched,
        };
    }

    private static void CheckName(string name)
    {
        if (name.Length is 0 or > MostNameCharacters)
            throw Refuse.Invalid($"name of the endpoint has {name.Length} characters; it must have 1 to {MostNameCharacters}.");
        foreach (var letter in name)
        {
            if (!char.IsAsciiLetterOrDigit(letter) && letter is not ('.' or '_' or '-'))
                throw Refuse.Invalid($"name '{Refuse.Show(name)}' of the endpoint must consist of a-z A-Z 0-9 . _ -; it contains U+{(int)letter:X4}.");
        }
    }
}
