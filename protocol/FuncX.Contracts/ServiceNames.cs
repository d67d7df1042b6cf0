namespace FuncX.Contracts;

/// <summary>
/// Full names of the services. They stand in the generated descriptors, too, but whoever asks one of those builds all of them, by reflection: a fifth of a second at the start of a program.
/// </summary>
public static class ServiceNames
{
    public const string Tasks = "funcx.v1.Tasks";
    public const string Link = "funcx.v1.Link";
}
