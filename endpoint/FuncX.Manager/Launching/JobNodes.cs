namespace FuncX.Manager.Launching;

/// <summary><c>funcx-manager --nodes</c>: the nodes of the job that it is called in, a line each. What an endpoint asks that is to work on the nodes of its own job.</summary>
internal static class JobNodes
{
    public static int Print()
    {
        try
        {
            if (Allocation.Find(Environment.GetEnvironmentVariable, File.ReadLines) is { } allocation)
            {
                Console.WriteLine(string.Join('\n', allocation.Nodes));
                return 0;
            }

            Console.Error.WriteLine("this is no job of Slurm, PBS or Cobalt: none of SLURM_JOB_ID, PBS_JOBID and COBALT_JOBID is set");
        }
        catch (Exception problem) when (problem is FormatException or IOException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine(problem.Message);
        }

        return BlockAgentProgram.NoLauncher;
    }
}
