using FuncX.Contracts.V1;
using FuncX.Definitions;
using FuncX.Service.Auth;
using FuncX.Service.Hosting;
using FuncX.Service.Limits;
using Grpc.Core;

namespace FuncX.Service.Registry;

/// <summary><c>funcx.v1.Containers</c>.</summary>
public sealed class ContainersService(ContainerCatalog catalog, ServiceLimits limits, TimeProvider clock) : Containers.ContainersBase
{
    private const int DefaultList = 100;
    private const int MostList = 1_000;
    private const int MostProblemCharacters = 400;

    public override Task<ContainerInfo> Register(RegisterContainerRequest request, ServerCallContext context)
    {
        var caller = context.GetCaller();
        FunctionRegistration.CheckName(request.Name);
        FunctionRegistration.CheckDescription(request.Description);
        var definition = Read(request);
        var registration = new ContainerRecord(caller.Owner, definition.Id, request.Name, definition)
        {
            Description = request.Description,
            RegisteredAt = clock.UnixMicroseconds(),
        };
        return catalog.TryRegister(registration, limits.ContainersPerUser, out var container)
            ? Task.FromResult(Describe(container))
            : throw Refuse.Exhausted($"user '{caller.UserName}' has {limits.ContainersPerUser} containers, which is the limit containers_per_user. Delete some first.");
    }

    public override Task<ContainerInfo> Get(GetContainerRequest request, ServerCallContext context)
    {
        var owner = context.GetCaller().Owner;
        return catalog.Resolve(owner, request.Container) is { } id && catalog.TryGet(owner, id, out var container)
            ? Task.FromResult(Describe(container))
            : throw Refuse.UnknownContainer(request.Container);
    }

    public override Task<ListContainersReply> List(ListContainersRequest request, ServerCallContext context)
    {
        if (request.Limit is < 0 or > MostList)
            throw Refuse.Invalid($"limit is {request.Limit}; it must be 0 (meaning {DefaultList}) to {MostList}.");
        var reply = new ListContainersReply();
        foreach (var container in catalog.List(context.GetCaller().Owner, request.Limit == 0 ? DefaultList : request.Limit))
            reply.Containers.Add(Describe(container));
        return Task.FromResult(reply);
    }

    public override Task<DeleteContainerReply> Delete(DeleteContainerRequest request, ServerCallContext context) =>
        catalog.TryDelete(context.GetCaller().Owner, request.ContainerId, clock.UnixMicroseconds())
            ? Task.FromResult(new DeleteContainerReply())
            : throw Refuse.UnknownContainer(request.ContainerId);

    private static ContainerDefinition Read(RegisterContainerRequest request)
    {
        try
        {
            return ContainerDefinition.Create(request.Images, request.Environment);
        }
        catch (DefinitionException problem)
        {
            throw Refuse.Invalid($"container '{Refuse.Show(request.Name)}': {Refuse.Show(problem.Message, MostProblemCharacters)}.");
        }
    }

    private static ContainerInfo Describe(ContainerRecord container) => new()
    {
        ContainerId = container.ContainerId,
        Name = container.Name,
        Images = { container.Definition.Images.ToDictionary() },
        Environment = { container.Definition.Environment.ToDictionary() },
        Description = container.Description,
        RegisteredAt = container.RegisteredAt,
    };
}
