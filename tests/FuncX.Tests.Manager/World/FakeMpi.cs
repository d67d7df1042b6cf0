using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;
using FuncX.Mpi;
using FuncX.Tests.Mpi.Libraries;

namespace FuncX.Tests.Manager.World;

/// <summary>
/// MPI in this process, by the library of <see cref="FakeLibrary"/>: this is rank 1 of 5, and what is sent to another rank comes back as if from there. A process has MPI once and on one thread:
/// whatever uses it is done there.
/// </summary>
public sealed class FakeMpi : IDisposable
{
    private readonly BlockingCollection<Action> _work = [];
    private readonly Thread _thread;
    private FakeLibrary? _library;
    private MpiRuntime? _mpi;

    public FakeMpi()
    {
        _thread = new Thread(Work) { IsBackground = true, Name = "fake MPI" };
        _thread.Start();
    }

    /// <summary>Does it on MPI's thread and waits; what it throws is thrown here.</summary>
    public void Run(Action<MpiRuntime> body)
    {
        _library ??= new FakeLibrary("RANK=1", "SIZE=5");
        ExceptionDispatchInfo? thrown = null;
        using var done = new ManualResetEventSlim();
        _work.Add(() =>
        {
            try
            {
                body(_mpi ??= MpiRuntime.Initialize(new MpiOptions { Library = _library.Path }));
            }
            catch (Exception problem)
            {
                thrown = ExceptionDispatchInfo.Capture(problem);
            }

            done.Set();
        });
        done.Wait();
        thrown?.Throw();
    }

    public void Dispose()
    {
        _work.CompleteAdding();
        _thread.Join();
        _library?.Dispose();
    }

    private void Work()
    {
        foreach (var piece in _work.GetConsumingEnumerable())
            piece();
    }
}
