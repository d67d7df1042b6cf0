namespace FuncX.Endpoint.Core.Launching;

/// <summary>The launchers, as in <c>launcher.type</c>.</summary>
public static class Launchers
{
    /// <param name="choice">Knows which program it is on this machine; where none was found, its usual name is tried. Not asked of those that have one name only.</param>
    /// <returns>Null: nothing is called so.</returns>
    public static ILauncher? Of(string name, LauncherChoice choice) => name switch
    {
        "mpirun" => Mpirun(choice.ProgramOf(name) ?? name, choice),
        "mpiexec" => new HydraLauncher(choice.ProgramOf(name) ?? name),
        "srun" => new SrunLauncher(),
        "aprun" => new AprunLauncher(),
        "pals" => new PalsLauncher(),
        _ => null,
    };

    private static MpirunLauncher Mpirun(string program, LauncherChoice choice) => new(program, choice.Recovers(program));
}
