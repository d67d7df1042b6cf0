using System.Security.Cryptography;
using System.Text;
using FuncX.Contracts.V1;
using Grpc.Core;

namespace FuncX.Tests.Client.Fake;

public sealed class FakeContainers(FakeState state) : Containers.ContainersBase
{
    public override Task<ContainerInfo> Register(RegisterContainerRequest request, ServerCallContext context)
    {
        var container = new ContainerInfo
        {
            ContainerId = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(request.Images.ToString() + request.Environment))),
            Name = request.Name,
            Images = { request.Images },
            Environment = { request.Environment },
            Description = request.Description,
            RegisteredAt = 1_700_000_000_000_000,
        };
        state.Containers.Add(container);
        return Task.FromResult(container);
    }

    public override Task<ContainerInfo> Get(GetContainerRequest request, ServerCallContext context) => Task.FromResult(Find(request.Container));

    public override Task<ListContainersReply> List(ListContainersRequest request, ServerCallContext context) =>
        Task.FromResult(new ListContainersReply { Containers = { state.Containers } });

    public override Task<DeleteContainerReply> Delete(DeleteContainerRequest request, ServerCallContext context)
    {
        state.Containers.Remove(Find(request.ContainerId));
        return Task.FromResult(new DeleteContainerReply());
    }

    private ContainerInfo Find(string name) =>
        state.Containers.FindLast(container => container.Name == name || container.ContainerId.StartsWith(name, StringComparison.Ordinal))
        ?? throw new RpcException(new Status(StatusCode.NotFound, $"no container '{name}'"));
}
