using FuncX.Mpi;
using FuncX.Tests.Mpi.Program;
using FuncX.Tests.Mpi.Program.Scenarios;

// funcx-mpi-scenarios DIRECTORY NAME...: runs scenarios in order on every rank and writes what each said to DIRECTORY. The tests read it.
if (args.Length < 2)
{
    Console.Error.WriteLine("usage: funcx-mpi-scenarios DIRECTORY SCENARIO...");
    return 64;
}

MpiRuntime mpi;
try
{
    mpi = MpiRuntime.Initialize(new MpiOptions { MaxOutstandingSends = Scenario.MaxOutstandingSends });
}
catch (MpiLibraryException problem)
{
    Console.Error.WriteLine(problem.Message);
    return 3;
}
catch (MpiException problem)
{
    Console.Error.WriteLine(problem.Message);
    return 4;
}

using var report = new Report(args[0], mpi.World);
try
{
    foreach (var name in args.AsSpan(1))
    {
        var scenario = Scenario.Find(name);
        report.Say(name, scenario(mpi));
    }

    return 0;
}
catch (Exception problem)
{
    // The other ranks would wait for this one.
    report.Say("failed", problem.ToString());
    if (mpi.IsMpiThread)
        mpi.World.Abort(70);
    return 70;
}
