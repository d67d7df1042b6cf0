using System.Runtime.InteropServices;

namespace FuncX.Mpi.Interop;

/// <summary>The dynamic loader's calls. NativeLibrary loads RTLD_LOCAL, and then Open MPI's plug-ins do not find the symbols of libmpi.</summary>
internal static unsafe partial class DynamicLoader
{
    private const int Now = 2;
    private const int Global = 0x100;

    // glibc before 2.34 has these in libdl; since then libdl depends on the libc that has them.
    private const string Library = "libdl.so.2";

    /// <summary>The handle, or 0 and the loader's reason.</summary>
    public static nint Open(string name, out string reason)
    {
        // The first call of a function here makes the runtime ask the loader for it, which would wipe out the reason.
        _ = Dlerror();
        var handle = Dlopen(name, Now | Global);
        reason = handle == 0 ? Error(name) : "";
        return handle;
    }

    /// <summary>The address of an exported symbol, or 0.</summary>
    public static nint Symbol(nint library, string name) => Dlsym(library, name);

    /// <summary>The file that holds the code or data at <paramref name="address"/>.</summary>
    public static string? FileOf(nint address)
    {
        DlInfo info;
        return Dladdr(address, &info) != 0 ? Marshal.PtrToStringUTF8((nint)info.FileName) : null;
    }

    // The loader puts the name before its reason; whoever shows it has named the library already.
    private static string Error(string name)
    {
        var text = Marshal.PtrToStringUTF8(Dlerror()) ?? "the loader gave no reason";
        return text.StartsWith(name + ": ", StringComparison.Ordinal) ? text[(name.Length + 2)..] : text;
    }

    [LibraryImport(Library, EntryPoint = "dlopen", StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint Dlopen(string name, int flags);

    [LibraryImport(Library, EntryPoint = "dlsym", StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint Dlsym(nint library, string name);

    [LibraryImport(Library, EntryPoint = "dladdr")]
    private static partial int Dladdr(nint address, DlInfo* info);

    [LibraryImport(Library, EntryPoint = "dlerror")]
    private static partial nint Dlerror();

    [StructLayout(LayoutKind.Sequential)]
    private struct DlInfo
    {
        public byte* FileName;
        public void* Base;
        public byte* SymbolName;
        public void* SymbolAddress;
    }
}
