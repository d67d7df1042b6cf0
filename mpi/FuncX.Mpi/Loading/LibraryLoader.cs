using System.Text;
using FuncX.Mpi.Interop;

namespace FuncX.Mpi.Loading;

/// <summary>Finds libmpi, maps it, and tells which binary interface it has.</summary>
internal static unsafe class LibraryLoader
{
    // MPI_MAX_LIBRARY_VERSION_STRING is 256 in Open MPI, 8192 in MPICH.
    private const int VersionRoom = 16384;

    // How libraries with MPICH's binary interface name themselves.
    private static readonly string[] MpichVersions = ["MPICH", "MVAPICH", "Intel(R) MPI", "ParaStation MPI"];

    /// <exception cref="MpiLibraryException">None of the candidates is usable.</exception>
    public static LoadedLibrary Load(IReadOnlyList<LibraryCandidate> candidates)
    {
        var tried = new List<MpiLibraryAttempt>();
        foreach (var candidate in candidates)
        {
            if (TryLoad(candidate.Name, out var reason) is { } loaded)
                return loaded;
            tried.Add(new MpiLibraryAttempt(candidate.Name, reason));
        }

        throw new MpiLibraryException(Describe(candidates, tried), tried);
    }

    private static LoadedLibrary? TryLoad(string name, out string reason)
    {
        // Never closed again, even when it is refused: a library may leave threads or exit handlers behind.
        var handle = DynamicLoader.Open(name, out reason);
        if (handle == 0)
            return null;
        var calls = MpiCalls.Resolve(handle, out var missing);
        if (calls is null)
        {
            reason = $"it is no MPI 3 library: it lacks {Some(missing)}";
            return null;
        }

        if (HasStandardInterface(handle))
        {
            reason = "it has the binary interface that MPI 5 standardised, which is not served yet; name the same MPI's library with its own";
            return null;
        }

        var version = Version(calls);
        var layout = Layout(handle, version, out reason);
        var file = DynamicLoader.FileOf((nint)calls.InitThread) ?? name;
        return layout is null ? null : new LoadedLibrary(new MpiLibrary(file, layout.Abi, version), calls, layout);
    }

    private static AbiLayout? Layout(nint handle, string version, out string reason)
    {
        reason = "";
        if (DynamicLoader.Symbol(handle, "ompi_mpi_comm_world") != 0)
        {
            var layout = AbiLayout.OpenMpi(handle, out var missing);
            if (layout is null)
                reason = $"it looks like Open MPI (\"{FirstLine(version)}\") and does not export {Some(missing)}";
            return layout;
        }

        if (MpichVersions.Any(known => version.Contains(known, StringComparison.OrdinalIgnoreCase)))
            return AbiLayout.Mpich();
        reason = $"it says it is \"{FirstLine(version)}\" and has neither Open MPI's binary interface nor, by that name, MPICH's";
        return null;
    }

    // MPI 5's handles and status are unlike both of ours. A library that only knows the question answers with a major version of -1.
    private static bool HasStandardInterface(nint handle)
    {
        var call = (delegate* unmanaged<int*, int*, int>)DynamicLoader.Symbol(handle, "MPI_Abi_get_version");
        int major = -1, minor = -1;
        return call != null && call(&major, &minor) == 0 && major > 0;
    }

    private static string Version(MpiCalls calls)
    {
        var text = new byte[VersionRoom];
        var length = 0;
        fixed (byte* start = text)
        {
            if (calls.GetLibraryVersion(start, &length) != 0)
                return "";
        }

        return Encoding.UTF8.GetString(text, 0, Math.Clamp(length, 0, VersionRoom)).TrimEnd('\0', '\n', ' ');
    }

    private static string Describe(IReadOnlyList<LibraryCandidate> candidates, List<MpiLibraryAttempt> tried)
    {
        var text = new StringBuilder("no usable MPI library.");
        for (var i = 0; i < tried.Count; i++)
            text.Append($"\n  {tried[i].Name} ({candidates[i].Origin}): {tried[i].Reason}");
        return text.Append($"\nLoad the site's MPI module, so that its libmpi is on LD_LIBRARY_PATH, or set {MpiOptions.LibraryVariable} to the path of libmpi.so.").ToString();
    }

    private static string Some(IReadOnlyList<string> names) =>
        names.Count <= 3 ? string.Join(", ", names) : $"{string.Join(", ", names.Take(3))} and {names.Count - 3} more";

    private static string FirstLine(string text) => text.Split('\n')[0].Trim();
}
