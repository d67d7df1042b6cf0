using System.Reflection;
using FuncX.Definitions;

namespace FuncX.Worker;

/// <summary>A package and the method in it; loaded when it is first called, and again after it was unloaded.</summary>
internal sealed class DotnetFunction
{
    private readonly DotnetEntry _entry;
    private readonly byte[] _code;
    private readonly string _directory;
    private PackageContext? _context;

    public DotnetFunction(DotnetEntry entry, byte[] code, string directory)
    {
        _entry = entry;
        _code = code;
        _directory = directory;
        Place = new LinkedListNode<DotnetFunction>(this);
    }

    public LinkedListNode<DotnetFunction> Place { get; }

    public MethodInfo? Method { get; private set; }

    public bool IsLoaded => _context is not null;

    /// <exception cref="DefinitionException">The package lacks what the entry names.</exception>
    public void Load()
    {
        if (Method is not null)
            return;
        if (!Directory.Exists(_directory))
            Unpack();
        var context = new PackageContext(_directory, _entry.Assembly + ".dll");
        try
        {
            Method = Find(context);
            _context = context;
        }
        catch
        {
            context.Unload();
            throw;
        }
    }

    public void Unload()
    {
        Method = null;
        _context?.Unload();
        _context = null;
    }

    // What breaks off half way, on a damaged package or a full disk, must not be taken for the package by the next call.
    private void Unpack()
    {
        var unfinished = _directory + ".unfinished";
        if (Directory.Exists(unfinished))
            Directory.Delete(unfinished, recursive: true);
        PackageReader.Unpack(_code, _entry, unfinished);
        Directory.Move(unfinished, _directory);
    }

    private MethodInfo Find(PackageContext context)
    {
        var assembly = context.LoadEntry() ?? throw new DefinitionException($"the package has no {_entry.Assembly}.dll");
        var type = assembly.GetType(_entry.Type) ?? throw new DefinitionException($"{_entry.Assembly}.dll has no type {_entry.Type}");
        var methods = type.GetMethods(BindingFlags.Public | BindingFlags.Static | BindingFlags.Instance).Where(method => method.Name == _entry.Method).ToArray();
        return methods switch
        {
            [{ ContainsGenericParameters: true }] => throw new DefinitionException($"{_entry.Type}.{_entry.Method} is generic; it needs types that a call cannot give"),
            [var method] => method,
            [] => throw new DefinitionException($"{_entry.Type} has no public method {_entry.Method}"),
            _ => throw new DefinitionException($"{_entry.Type} has {methods.Length} public methods {_entry.Method}; the one to call must have a name of its own"),
        };
    }
}
