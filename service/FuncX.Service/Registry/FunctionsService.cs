using FuncX.Contracts.V1;
using FuncX.Service.Auth;
using FuncX.Service.Hosting;
using FuncX.Service.Limits;
using FuncX.Wire;
using Google.Protobuf;
using Grpc.Core;

namespace FuncX.Service.Registry;

/// <summary><c>funcx.v1.Functions</c>.</summary>
public sealed class FunctionsService(FunctionCatalog catalog, ContainerCatalog containers, ServiceLimits limits, TimeProvider clock) : Functions.FunctionsBase
{
    private const int DefaultList = 100;
    private const int MostList = 1_000;

    public override Task<FunctionInfo> Register(RegisterFunctionRequest request, ServerCallContext context)
    {
        var caller = context.GetCaller();
        var kind = FunctionRegistration.Check(request, limits);
        var code = request.Code.ToByteArray();
        var requires = FunctionRegistration.ReadRequires(request);
        var container = request.Container.Length == 0 ? "" : FindContainer(caller.Owner, request.Container);
        var registration = new FunctionRecord(0, caller.Owner, FunctionIdentity.Compute(kind, request.Entry, code, requires, container), kind, request.Name, request.Entry, code)
        {
            Description = request.Description,
            Requires = requires,
            Container = container,
            RegisteredAt = clock.UnixMicroseconds(),
        };
        return catalog.TryRegister(registration, limits.FunctionsPerUser, out var function)
            ? Task.FromResult(Describe(function, includeCode: false))
            : throw Refuse.Exhausted($"user '{caller.UserName}' has {limits.FunctionsPerUser} functions, which is the limit functions_per_user. Delete some first.");
    }

    public override Task<FunctionInfo> Get(GetFunctionRequest request, ServerCallContext context)
    {
        var owner = context.GetCaller().Owner;
        var id = RegistryName.Resolve("function", request.Function, digits => catalog.FindByPrefix(owner, digits, most: 2), name => catalog.FindByName(owner, name));
        return id is not null && catalog.TryGet(owner, id, out var function)
            ? Task.FromResult(Describe(function, request.IncludeCode))
            : throw Refuse.UnknownFunction(request.Function);
    }

    public override Task<ListFunctionsReply> List(ListFunctionsRequest request, ServerCallContext context)
    {
        if (request.Limit is < 0 or > MostList)
            throw Refuse.Invalid($"limit is {request.Limit}; it must be 0 (meaning {DefaultList}) to {MostList}.");
        var reply = new ListFunctionsReply();
        foreach (var function in catalog.List(context.GetCaller().Owner, request.Limit == 0 ? DefaultList : request.Limit))
            reply.Functions.Add(Describe(function, includeCode: false));
        return Task.FromResult(reply);
    }

    public override Task<DeleteFunctionReply> Delete(DeleteFunctionRequest request, ServerCallContext context) =>
        catalog.TryDelete(context.GetCaller().Owner, request.FunctionId, clock.UnixMicroseconds())
            ? Task.FromResult(new DeleteFunctionReply())
            : throw Refuse.UnknownFunction(request.FunctionId);

    private string FindContainer(OwnerId owner, string asked) => containers.Resolve(owner, asked) ?? throw Refuse.UnknownContainer(asked);

    private static FunctionInfo Describe(FunctionRecord function, bool includeCode) => new()
    {
        FunctionId = function.FunctionId,
        Kind = Enum.Parse<FunctionKind>(function.Kind, ignoreCase: true),
        Name = function.Name,
        Entry = function.Entry,
        Description = function.Description,
        RegisteredAt = function.RegisteredAt,
        ContainerId = function.Container,
        Requires = { function.Requires.Split(RuntimeRequirement.Separator, StringSplitOptions.RemoveEmptyEntries) },
        Code = includeCode ? UnsafeByteOperations.UnsafeWrap(function.Code) : ByteString.Empty,
    };
}
