using FuncX.Contracts;
using FuncX.Endpoint.Identity;

namespace FuncX.Endpoint.Blocks;

/// <summary>The program that nodes of a block run.</summary>
public sealed record ManagerProgram(string Path)
{
    /// <summary>The one of this installation.</summary>
    /// <param name="mayNeedRuntime">True: one that was not compiled ahead of time does as well. Nodes have no .NET runtime; this machine has.</param>
    /// <exception cref="EndpointRefusedException">There is none, or it needs the runtime.</exception>
    public static ManagerProgram Find(bool mayNeedRuntime)
    {
        string path;
        try
        {
            path = Programs.Manager;
        }
        catch (FileNotFoundException problem)
        {
            throw new EndpointRefusedException(problem.Message, problem);
        }

        return mayNeedRuntime || Programs.IsCompiledAheadOfTime(path)
            ? new ManagerProgram(path)
            : throw new EndpointRefusedException($"{path} is not compiled ahead of time ({path}.dll lies beside it): it is slow, and nodes need the .NET runtime for it. "
                + "Run: dotnet publish endpoint/FuncX.Manager -c Release. Or name another one in FUNCX_MANAGER");
    }
}
