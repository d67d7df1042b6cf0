using System.Security.Cryptography;
using FuncX.Contracts.V1;
using Grpc.Core;

namespace FuncX.Tests.Client.Fake;

public sealed class FakeFunctions(FakeState state) : Functions.FunctionsBase
{
    public override Task<FunctionInfo> Register(RegisterFunctionRequest request, ServerCallContext context)
    {
        var function = new FunctionInfo
        {
            FunctionId = Convert.ToHexStringLower(SHA256.HashData(request.Code.Span)),
            Kind = request.Kind,
            Name = request.Name,
            Entry = request.Entry,
            Code = request.Code,
            Description = request.Description,
            ContainerId = request.Container.Length > 0 ? $"id of {request.Container}" : "",
            RegisteredAt = 1_700_000_000_000_000,
        };
        state.Functions.Add(function);
        return Task.FromResult(function);
    }

    public override Task<FunctionInfo> Get(GetFunctionRequest request, ServerCallContext context) => Task.FromResult(Find(request.Function));

    public override Task<ListFunctionsReply> List(ListFunctionsRequest request, ServerCallContext context)
    {
        var reply = new ListFunctionsReply();
        reply.Functions.AddRange(state.Functions);
        return Task.FromResult(reply);
    }

    public override Task<DeleteFunctionReply> Delete(DeleteFunctionRequest request, ServerCallContext context)
    {
        state.Functions.Remove(Find(request.FunctionId));
        return Task.FromResult(new DeleteFunctionReply());
    }

    private FunctionInfo Find(string name) =>
        state.Functions.FindLast(function => function.Name == name || function.FunctionId.StartsWith(name, StringComparison.Ordinal))
        ?? throw new RpcException(new Status(StatusCode.NotFound, $"no function '{name}'"));
}
