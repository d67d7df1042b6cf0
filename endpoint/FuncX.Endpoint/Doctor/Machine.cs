using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using FuncX.Configuration;
using FuncX.Endpoint.Blocks;
using FuncX.Providers.Batch;

namespace FuncX.Endpoint.Doctor;

/// <summary>The machine that this process runs on.</summary>
internal sealed partial class Machine(TimeProvider time) : IMachine
{
    private const int OpenFilesLimit = 7; // RLIMIT_NOFILE

    // As the endpoint's own commands: Slurm's clients give up by themselves after MessageTimeout, 10 s to a minute and a half at large sites; Cobalt's never do.
    private readonly CommandRunner _commands = new(TimeSpan.FromSeconds(100));

    public string HostName => Dns.GetHostName();

    public Version? Glibc
    {
        get
        {
            try
            {
                return Version.Parse(Marshal.PtrToStringUTF8(GlibcVersion())!);
            }
            catch (EntryPointNotFoundException)
            {
                return null;
            }
        }
    }

    public ulong OpenFiles
    {
        get
        {
            // struct rlimit: soft u64 | hard u64
            Span<ulong> limit = stackalloc ulong[2];
            return GetLimit(OpenFilesLimit, ref MemoryMarshal.GetReference(limit)) == 0 ? limit[1] : ulong.MaxValue;
        }
    }

    public string? Find(string program)
    {
        foreach (var directory in (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries))
        {
            var path = Path.Combine(directory, program);
            if (File.Exists(path) && (File.GetUnixFileMode(path) & (UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute)) != UnixFileMode.None)
                return path;
        }

        return null;
    }

    public ManagerProgram FindManager() => ManagerProgram.Find(mayNeedRuntime: false);

    public Task<CommandOutput> RunAsync(SchedulerCommand command, string workingDirectory, CancellationToken cancellation) => _commands.RunAsync(command, workingDirectory, cancellation);

    public void Write(string directory, int bytes)
    {
        var path = Path.Combine(directory, $".doctor-{Guid.NewGuid():N}");
        try
        {
            using var stream = new FileStream(path, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, BufferSize = 0, UnixCreateMode = FileModes.PrivateFile });
            // No zeros: a file system that compresses would need no room for them.
            var noise = new byte[1 << 20];
            for (var written = 0; written < bytes; written += noise.Length)
            {
                Random.Shared.NextBytes(noise);
                stream.Write(noise, 0, Math.Min(noise.Length, bytes - written));
            }

            DiskSync.Flush(stream.SafeFileHandle, path);
        }
        finally
        {
            File.Delete(path);
        }
    }

    public DiskSpace SpaceOf(string directory)
    {
        // struct statvfs on 64 bits: bsize | frsize | blocks | bfree | bavail | files | ffree | favail | ..., u64 each, 112 bytes
        Span<ulong> answer = stackalloc ulong[32];
        return GetSpace(directory, ref MemoryMarshal.GetReference(answer)) == 0
            ? new DiskSpace((long)Math.Min(answer[1] * answer[4], long.MaxValue), answer[5] == 0 ? null : (long)answer[7])
            : throw new IOException($"the space left in {directory} cannot be told: {Marshal.GetLastPInvokeErrorMessage()}");
    }

    public Task<ServiceAnswer> AskAsync(string service, CancellationToken cancellation) => new ServiceProbe(time).AskAsync(service, cancellation);

    public IReadOnlyList<IPAddress> ListenAddresses(EndpointConfiguration configuration) => Hosting.ListenAddresses.Of(configuration);

    public async Task<IReadOnlyList<IPAddress>> ResolveAsync(string name, CancellationToken cancellation)
    {
        try
        {
            return await Dns.GetHostAddressesAsync(name, cancellation);
        }
        catch (SocketException)
        {
            return [];
        }
    }

    [LibraryImport("libc", EntryPoint = "gnu_get_libc_version")]
    private static partial nint GlibcVersion();

    [LibraryImport("libc", EntryPoint = "getrlimit")]
    private static partial int GetLimit(int resource, ref ulong limit);

    [LibraryImport("libc", EntryPoint = "statvfs", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int GetSpace(string path, ref ulong answer);
}
