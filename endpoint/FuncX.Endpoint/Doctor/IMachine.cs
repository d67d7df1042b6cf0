using System.Net;
using FuncX.Configuration;
using FuncX.Endpoint.Blocks;
using FuncX.Endpoint.Identity;
using FuncX.Providers.Batch;

namespace FuncX.Endpoint.Doctor;

/// <summary>What the checks ask of the machine that they run on: the effect boundary of the doctor, so that one thing alone can be broken.</summary>
internal interface IMachine : ICommandRunner
{
    string HostName { get; }

    /// <summary>The version of the C library; null: it is another one than glibc.</summary>
    Version? Glibc { get; }

    /// <summary>How many files a process may have open at most (RLIMIT_NOFILE, the hard limit).</summary>
    ulong OpenFiles { get; }

    /// <summary>Where a program lies that is found in PATH; null: nowhere.</summary>
    string? Find(string program);

    /// <summary>The manager that <c>start</c> would take.</summary>
    /// <exception cref="EndpointRefusedException">There is none, or it is not compiled ahead of time.</exception>
    ManagerProgram FindManager();

    /// <summary>Writes so many bytes to a file in a directory, syncs it and removes it again.</summary>
    /// <exception cref="IOException">It could not; the system's error number is its HResult.</exception>
    /// <exception cref="UnauthorizedAccessException">This user may not write there.</exception>
    void Write(string directory, int bytes);

    /// <summary>What is left on the file system of a directory.</summary>
    DiskSpace SpaceOf(string directory);

    /// <summary>Asks a service for anything, over HTTP/2.</summary>
    Task<ServiceAnswer> AskAsync(string service, CancellationToken cancellation);

    /// <summary>Where the endpoint would listen for managers.</summary>
    /// <exception cref="EndpointRefusedException">An interface of the file is not there or has no address.</exception>
    IReadOnlyList<IPAddress> ListenAddresses(EndpointConfiguration configuration);

    /// <summary>The addresses of a name; empty: it has none.</summary>
    Task<IReadOnlyList<IPAddress>> ResolveAsync(string name, CancellationToken cancellation);
}
