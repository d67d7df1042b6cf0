using FuncX.Contracts.V1;
using FuncX.Service.Auth;
using FuncX.Service.Hosting;
using FuncX.Service.Limits;
using FuncX.Wire;
using Google.Protobuf;
using Grpc.Core;

namespace FuncX.Service.Registry;

/// <summary><c>funcx.v1.Functions</c>.</summary>
public sealed class FunctionsService(FunctionCatalog catalog, ServiceLimits limits, TimeProvider clock) : Functions.FunctionsBase
{
    private const int LeastPrefixDigits = 8;
    private const int IdDigits = 64;
    private const int DefaultList = 100;
    private const int MostList = 1_000;

    public override Task<FunctionInfo> Register(RegisterFunctionRequest request, ServerCallContext context)
    {
        var caller = context.GetCaller();
        var kind = FunctionRegistration.Check(request, limits);
        var code = request.Code.ToByteArray();
        var requires = FunctionRegistration.ReadRequires(request);
        var registration = new FunctionRecord(0, caller.Owner, FunctionIdentity.Compute(kind, request.Entry, code, requires), kind, request.Name, request.Entry, code)
        {
            Description = request.Description,
            Requires = requires,
            RegisteredAt = clock.UnixMicroseconds(),
        };
        return catalog.TryRegister(registration, limits.FunctionsPerUser, out var function)
            ? Task.FromResult(Describe(function, includeCode: false))
            : throw Refuse.Exhausted($"user '{caller.UserName}' has {limits.FunctionsPerUser} functions, which is the limit functions_per_user. Delete some first.");
    }

    public override Task<FunctionInfo> Get(GetFunctionRequest request, ServerCallContext context)
    {
        var owner = context.GetCaller().Owner;
        var id = Resolve(owner, request.Function);
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

    /// <summary>The id that a text names: an id, the beginning of one, or a name; null when it names nothing of the owner's.</summary>
    private string? Resolve(OwnerId owner, string asked)
    {
        if (asked.Length == 0)
            throw Refuse.Invalid($"function is empty; give an id, the first {LeastPrefixDigits} or more digits of one, or a name.");
        if (asked.Length is >= LeastPrefixDigits and <= IdDigits && IsHexadecimal(asked))
        {
            var digits = asked.ToLowerInvariant();
            var ids = catalog.FindByPrefix(owner, digits, most: 2);
            if (ids.Count == 1)
                return ids[0];
            if (ids.Count > 1)
                throw Refuse.Invalid($"'{asked}' begins the ids of several of your functions, among them {ids[0]} and {ids[1]}; give more digits.");
        }

        return asked.Length <= FunctionRegistration.MostNameCharacters ? catalog.FindByName(owner, asked) : null;
    }

    private static bool IsHexadecimal(string text)
    {
        foreach (var letter in text)
        {
            if (!char.IsAsciiHexDigit(letter))
                return false;
        }

        return true;
    }

    private static FunctionInfo Describe(FunctionRecord function, bool includeCode) => new()
    {
        FunctionId = function.FunctionId,
        Kind = Enum.Parse<FunctionKind>(function.Kind, ignoreCase: true),
        Name = function.Name,
        Entry = function.Entry,
        Description = function.Description,
        RegisteredAt = function.RegisteredAt,
        Requires = { function.Requires.Split(RuntimeRequirement.Separator, StringSplitOptions.RemoveEmptyEntries) },
        Code = includeCode ? UnsafeByteOperations.UnsafeWrap(function.Code) : ByteString.Empty,
    };
}
