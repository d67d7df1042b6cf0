using FuncX.Manager.Interop;
using FuncX.Wire;

namespace FuncX.Manager.Workers;

/// <summary>What a new worker came with; the worker's record owns all of it.</summary>
internal sealed unsafe record WorkerDescriptors(int Pid, int Socket, ResultRing? Ring, int Stdout, int Stderr)
{
    /// <summary>Takes over what a zygote sent of a worker: its socket, ring, and both pipes. A zygote runs user code, so each is looked at.</summary>
    /// <exception cref="FrameException">It is something else; all of it is closed.</exception>
    public static WorkerDescriptors Take(int pid, int[] descriptors)
    {
        try
        {
            // Signals go to the group of that number; 0, 1 and what is negative mean other processes, or all of them.
            if (pid <= 1)
                throw new FrameException($"a worker of pid {pid}");
            if (descriptors.Length != 4)
                throw new FrameException($"worker {pid} came with {descriptors.Length} descriptors instead of 4");
            int type;
            uint length = sizeof(int);
            if (Libc.GetSockOpt(descriptors[0], Libc.SOL_SOCKET, Libc.SO_TYPE, &type, &length) < 0 || type != Libc.SOCK_STREAM
                || Libc.Fcntl(descriptors[2], Libc.F_GETPIPE_SZ, 0) < 0 || Libc.Fcntl(descriptors[3], Libc.F_GETPIPE_SZ, 0) < 0)
            {
                throw new FrameException($"worker {pid} came with descriptors that are not a stream socket and two pipes");
            }

            var ring = ResultRing.Map(descriptors[1]);
            _ = Libc.Close(descriptors[1]);
            return new WorkerDescriptors(pid, descriptors[0], ring, descriptors[2], descriptors[3]);
        }
        catch (Exception problem) when (problem is FrameException or InvalidOperationException)
        {
            foreach (var descriptor in descriptors)
                _ = Libc.Close(descriptor);
            throw;
        }
    }
}
