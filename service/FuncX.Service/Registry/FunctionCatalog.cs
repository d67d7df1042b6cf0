using System.Diagnostics.CodeAnalysis;
using FuncX.Service.Auth;

namespace FuncX.Service.Registry;

/// <summary>Functions by id and by number: from memory when used lately, else from registry.db. Safe for any thread.</summary>
public sealed class FunctionCatalog
{
    private const long DefaultMostCachedBytes = 64 << 20;

    private readonly FunctionTable _table;
    private readonly FunctionCache _cache;
    // Reading a function into the cache and changing it exclude each other, so that a reader cannot bring back an old state.
    private readonly Lock _gate = new();

    public FunctionCatalog(RegistryDatabase database)
        : this(database, DefaultMostCachedBytes)
    {
    }

    internal FunctionCatalog(RegistryDatabase database, long mostCachedBytes)
    {
        _table = new FunctionTable(database);
        _cache = new FunctionCache(mostCachedBytes);
    }

    /// <summary>What the functions in memory take, about.</summary>
    internal long CachedBytes => _cache.Bytes;

    /// <summary>A function of that owner that is not deleted.</summary>
    public bool TryGet(OwnerId owner, string functionId, [NotNullWhen(true)] out FunctionRecord? function)
    {
        if (_cache.TryGet(owner, functionId, out function))
            return true;
        lock (_gate)
        {
            function = _table.Find(owner, functionId);
            if (function is null)
                return false;
            _cache.Put(function);
            return true;
        }
    }

    /// <summary>A function by the service's number, also a deleted one.</summary>
    public bool TryGetByNumber(int number, [NotNullWhen(true)] out FunctionRecord? function)
    {
        if (_cache.TryGetByNumber(number, out function))
            return true;
        lock (_gate)
        {
            function = _table.FindByNumber(number);
            if (function is null)
                return false;
            _cache.Put(function);
            return true;
        }
    }

    /// <summary>Registers a function; the same again changes its name and description only, and makes it the newest of that name.</summary>
    /// <param name="mostFunctions">Limit of the owner's functions.</param>
    /// <param name="function">The function as it is now; null when the owner has as many as allowed.</param>
    public bool TryRegister(FunctionRecord registration, int mostFunctions, [NotNullWhen(true)] out FunctionRecord? function)
    {
        lock (_gate)
        {
            function = _table.Register(registration, mostFunctions);
            if (function is null)
                return false;
            _cache.Put(function);
            return true;
        }
    }

    /// <summary>Deletes a function: no new task may name it, accepted ones still run.</summary>
    /// <returns>False when the owner has none of that id.</returns>
    public bool TryDelete(OwnerId owner, string functionId, long now)
    {
        lock (_gate)
        {
            if (_table.Delete(owner, functionId, now) is not { } deleted)
                return false;
            _cache.Put(deleted);
            return true;
        }
    }

    /// <summary>The ids of the owner's functions that begin with the digits, at most <paramref name="most"/>.</summary>
    public IReadOnlyList<string> FindByPrefix(OwnerId owner, string digits, int most) => _table.FindByPrefix(owner, digits, most);

    /// <summary>The id of the owner's newest function of that name.</summary>
    public string? FindByName(OwnerId owner, string name) => _table.FindByName(owner, name);

    /// <summary>The owner's functions without their code, newest first.</summary>
    public IReadOnlyList<FunctionRecord> List(OwnerId owner, int most) => _table.List(owner, most);
}
