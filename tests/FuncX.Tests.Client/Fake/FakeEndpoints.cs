using FuncX.Contracts.V1;
using Grpc.Core;

namespace FuncX.Tests.Client.Fake;

public sealed class FakeEndpoints(FakeState state) : Endpoints.EndpointsBase
{
    public override Task<EndpointInfo> Get(GetEndpointRequest request, ServerCallContext context) => Task.FromResult(Find(request.Endpoint));

    public override Task<ListEndpointsReply> List(ListEndpointsRequest request, ServerCallContext context)
    {
        var reply = new ListEndpointsReply();
        reply.Endpoints.AddRange(state.Endpoints);
        return Task.FromResult(reply);
    }

    public override Task<DeleteEndpointReply> Delete(DeleteEndpointRequest request, ServerCallContext context)
    {
        state.Endpoints.Remove(Find(request.EndpointId));
        return Task.FromResult(new DeleteEndpointReply());
    }

    private EndpointInfo Find(string name) =>
        state.Endpoints.Find(endpoint => endpoint.Name == name || endpoint.EndpointId == name)
        ?? throw new RpcException(new Status(StatusCode.NotFound, $"no endpoint '{name}'"));
}
