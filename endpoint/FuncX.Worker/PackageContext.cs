using System.Reflection;
using System.Runtime.Loader;

namespace FuncX.Worker;

/// <summary>Where a package's assemblies are loaded: its own first, whatever versions another package or this program has; then the runtime's.</summary>
internal sealed class PackageContext(string directory, string entry) : AssemblyLoadContext(Path.GetFileNameWithoutExtension(entry), isCollectible: true)
{
    private readonly string _entry = Path.Combine(directory, entry);
    private readonly AssemblyDependencyResolver _resolver = new(Path.Combine(directory, entry));

    public Assembly? LoadEntry() => FromFile(_entry);

    protected override Assembly? Load(AssemblyName assemblyName)
    {
        if (_resolver.ResolveAssemblyToPath(assemblyName) is { } resolved)
            return FromFile(resolved);
        return assemblyName.Name is { } name ? FromFile(Path.Combine(directory, name + ".dll")) : null;
    }

    protected override nint LoadUnmanagedDll(string unmanagedDllName)
    {
        if (_resolver.ResolveUnmanagedDllToPath(unmanagedDllName) is { } resolved)
            return LoadUnmanagedDllFromPath(resolved);
        var beside = new[] { unmanagedDllName, $"lib{unmanagedDllName}.so", $"{unmanagedDllName}.so" }.Select(name => Path.Combine(directory, name)).FirstOrDefault(File.Exists);
        return beside is null ? 0 : LoadUnmanagedDllFromPath(beside);
    }

    private Assembly? FromFile(string path) => File.Exists(path) ? LoadFromAssemblyPath(path) : null;
}
