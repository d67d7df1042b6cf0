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
    /// <param name="requires">What a node must have, as <c>python&gt;=3.12</c>.</param>
    /// <param name="container">The registered container that it runs in: its id, the beginning of that, or its name; null: none.</param>
    public Task<FunctionInfo> RegisterPythonAsync(
        string source, string entry, string? name = null, string description = "", IEnumerable<string>? requires = null, string? container = null, CancellationToken cancellation = default) =>
        RegisterAsync(FunctionKind.Python, name ?? entry, entry, Encoding.UTF8.GetBytes(source), description, requires, container, cancellation);

    private Task<FunctionInfo> RegisterAsync(FunctionKind kind, string name, string entry, byte[] code, string description, IEnumerable<string>? requires, string? container, CancellationToken cancellation)
    {
        var request = new RegisterFunctionRequest
        {
            Kind = kind,
            Name = name,
            Entry = entry,
            Code = UnsafeByteOperations.UnsafeWrap(code),
            Description = description,
            Requires = { requires ?? [] },
            Container = container ?? "",
        };
        return _service.CallAsync(options => _service.Functions.RegisterAsync(request, options), $"Registering function '{request.Name}'", cancellation);
    }

    /// <summary>Registers a command.</summary>
    /// <param name="name">For people.</param>
    /// <param name="definition">A JSON object: <c>command</c> (a list of texts with <c>{parameter}</c> in them) and what protocol/README.md lists beside it.</param>
    /// <param name="description">For people.</param>
    /// <param name="requires">What a node must have, as <c>python&gt;=3.12</c>.</param>
    /// <param name="container">The registered container that it runs in: its id, the beginning of that, or its name; null: none.</param>
    public Task<FunctionInfo> RegisterCommandAsync(string name, string definition, string description = "", IEnumerable<string>? requires = null, string? container = null, CancellationToken cancellation = default) =>
        RegisterAsync(FunctionKind.Command, name, "", Encoding.UTF8.GetBytes(definition), description, requires, container, cancellation);

    /// <summary>Registers a .NET method.</summary>
    /// <param name="package">An assembly, or a zip archive of it and what it needs.</param>
    /// <param name="entry"><c>Assembly::Namespace.Type::Method</c>.</param>
    /// <param name="name">For people; the method's when null.</param>
    /// <param name="description">For people.</param>
    /// <param name="requires">What a node must have, as <c>python&gt;=3.12</c>.</param>
    /// <param name="container">The registered container that it runs in: its id, the beginning of that, or its name; null: none.</param>
    public Task<FunctionInfo> RegisterDotnetAsync(byte[] package, string entry, string? name = null, string description = "", IEnumerable<string>? requires = null, string? container = null, CancellationToken cancellation = default) =>
        RegisterAsync(FunctionKind.Dotnet, name ?? entry[(entry.LastIndexOf(':') + 1)..], entry, package, description, requires, container, cancellation);

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
