using System.Reflection;
using System.Runtime.InteropServices;
using SQLitePCL;

namespace FuncX.Service.Storage;

/// <summary>
/// Which build of SQLite is loaded: the package's own wherever it loads. That one wants glibc 2.34; a release carries an older one beside it for systems that have less,
/// and whoever can should not have to take that one too.
/// </summary>
internal static class SqliteLibrary
{
    private const string Older = "glibc-2.28";

    /// <summary>Call before the first database is opened.</summary>
    public static void Choose() => NativeLibrary.SetDllImportResolver(typeof(SQLite3Provider_e_sqlite3).Assembly, Load);

    // Zero: the runtime looks for itself once more, and says what is wrong with what it finds.
    private static nint Load(string name, Assembly assembly, DllImportSearchPath? search) =>
        NativeLibrary.TryLoad(name, assembly, search, out var library) || NativeLibrary.TryLoad(Path.Combine(AppContext.BaseDirectory, Older, $"lib{name}.so"), out library) ? library : 0;
}
