using System.Text;
using FuncX.Client.Connection;
using FuncX.Contracts.V1;
using Google.Protobuf;

namespace FuncX.Client.Registry;

/// <summary>The caller's functions at the service. Errors are <see cref="FuncXException"/>.</summary>
public sealed class FunctionRegistry
{
    private readonly ServiceConnection _service;

    internal FunctionRegistry(ServiceConnection service) => _service = service;

    /// <summary>Registers Python source that defines <paramref name="entry"/>. The same source and entry give the same id.</summary>
    /// <param name="source">The text of a module; standard UTF-8.</param>
    /// <param name="entry">Name that the source defines and that is called.</param>
    /// <param name="name">For people; the entry when null.</param>
    /// <param name="description">For people.</param>
    public Task<FunctionInfo> RegisterPythonAsync(
        string source, string entry, string? name = null, string description = "", CancellationToken cancellation = default)
    {
        var request = new RegisterFunctionRequest
        {
            Kind = FunctionKind.Python,
            Name = name ?? entry,
            Entry = entry,
            Code = UnsafeByteOperations.UnsafeWrap(Encoding.UTF8.GetBytes(source)),
            Description = description,
        };
        return _service.CallAsync(options => _service.Functions.RegisterAsync(request, options), $"Registering function '{request.Name}'", cancellation);
    }

    /// <summary>One function by id, by the first 8 or more digits of its id, or by name (the newest of that name).</summary>
    public Task<FunctionInfo> GetAsync(string function, bool withCode = false, CancellationToken cancellation = default) => _service.CallAsync(
        options => _service.Functions.GetAsync(new GetFunctionRequest { Function = function, IncludeCode = withCode }, options),
        $"Function '{function}'",
        cancellation);

    /// <summary>The newest functions first.</summary>
    /// <param name="limit">1 to 1,000.</param>
    public async Task<IReadOnlyList<FunctionInfo>> ListAsync(int limit = 100, CancellationToken cancellation = default)
    {
        var reply = await _service.CallAsync(
            options => _service.Functions.ListAsync(new ListFunctionsRequest { Limit = limit }, options), "Listing functions", cancellation);
        return reply.Functions;
    }

    /// <summary>Deletes a registration. Calls already accepted still run.</summary>
    public Task DeleteAsync(FunctionId function, CancellationToken cancellation = default) => _service.CallAsync(
        options => _service.Functions.DeleteAsync(new DeleteFunctionRequest { FunctionId = function.Value }, options),
        $"Deleting function {function}",
        cancellation);
}
