using System.Text;
using FuncX.Contracts.V1;
using FuncX.Definitions;
using FuncX.Service.Limits;
using FuncX.Wire;
using Grpc.Core;

namespace FuncX.Service.Registry;

/// <summary>Checks what a client wants to register.</summary>
internal static class FunctionRegistration
{
    public const int MostNameCharacters = 128;
    public const int MostEntryCharacters = 256;
    public const int MostDescriptionCharacters = 4_096;

    private const int MostProblemCharacters = 400;
    private const int MostRequires = 16;

    private static readonly UTF8Encoding _strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <returns>The kind as it is stored and sent over links.</returns>
    /// <exception cref="RpcException">INVALID_ARGUMENT, UNIMPLEMENTED for a kind that cannot run yet, RESOURCE_EXHAUSTED for too much code.</exception>
    public static string Check(RegisterFunctionRequest request, ServiceLimits limits)
    {
        if (request.Kind == FunctionKind.Mpi)
        {
            throw new RpcException(new Status(
                StatusCode.Unimplemented, "functions of kind 'mpi' are not built yet; this service runs the kinds 'python', 'command' and 'dotnet'."));
        }

        if (request.Kind is not (FunctionKind.Python or FunctionKind.Command or FunctionKind.Dotnet))
            throw Refuse.Invalid($"kind is {(int)request.Kind}; it must be {(int)FunctionKind.Python} (python), {(int)FunctionKind.Command} (command) or {(int)FunctionKind.Dotnet} (dotnet).");
        CheckName(request.Name);
        CheckDescription(request.Description);
        CheckSize(request, limits);
        try
        {
            switch (request.Kind)
            {
                case FunctionKind.Command:
                    CheckCommand(request);
                    break;
                case FunctionKind.Dotnet:
                    if (request.Entry.Length > MostEntryCharacters)
                        throw Refuse.Invalid($"entry has {request.Entry.Length} characters; the most is {MostEntryCharacters}.");
                    PackageReader.Check(request.Code.ToByteArray(), DotnetEntry.Parse(request.Entry));
                    break;
                default:
                    CheckPython(request);
                    break;
            }
        }
        catch (DefinitionException problem)
        {
            throw Refuse.Invalid($"function '{Refuse.Show(request.Name)}': {Refuse.Show(problem.Message, MostProblemCharacters)}.");
        }

        return request.Kind.ToString().ToLowerInvariant();
    }

    /// <summary>What the function requires of a node, as it is stored: in one order, so that the same gives the same id.</summary>
    /// <exception cref="RpcException">INVALID_ARGUMENT.</exception>
    public static string ReadRequires(RegisterFunctionRequest request)
    {
        if (request.Requires.Count > MostRequires)
            throw Refuse.Invalid($"function '{Refuse.Show(request.Name)}' has {request.Requires.Count} requirements; the most is {MostRequires}.");
        try
        {
            return string.Join(RuntimeRequirement.Separator, request.Requires.Select(static text => RuntimeRequirement.Parse(text).ToString()).Distinct().Order(StringComparer.Ordinal));
        }
        catch (FormatException problem)
        {
            throw Refuse.Invalid($"function '{Refuse.Show(request.Name)}': {Refuse.Show(problem.Message, MostProblemCharacters)}.");
        }
    }

    private static void CheckCommand(RegisterFunctionRequest request)
    {
        if (request.Entry.Length > 0)
            throw Refuse.Invalid($"entry of function '{Refuse.Show(request.Name)}' is '{Refuse.Show(request.Entry)}'; a command has none.");
        _ = CommandDefinition.Read(request.Code.Memory);
    }

    private static void CheckPython(RegisterFunctionRequest request)
    {
        if (request.Entry.Length > MostEntryCharacters || !PythonIdentifier.IsValid(request.Entry))
        {
            throw Refuse.Invalid(
                $"entry of function '{Refuse.Show(request.Name)}' is '{Refuse.Show(request.Entry)}'; it must be the name of what the source defines: a Python identifier of at most {MostEntryCharacters} characters, no keyword.");
        }

        CheckSource(request);
    }

    public static void CheckDescription(string description)
    {
        if (description.Length > MostDescriptionCharacters)
            throw Refuse.Invalid($"description has {description.Length} characters; the most is {MostDescriptionCharacters}.");
    }

    public static void CheckName(string name)
    {
        if (name.Length is 0 or > MostNameCharacters)
            throw Refuse.Invalid($"name has {name.Length} characters; it must have 1 to {MostNameCharacters}.");
        foreach (var letter in name)
        {
            if (char.IsControl(letter))
                throw Refuse.Invalid($"name '{Refuse.Show(name)}' contains the control character U+{(int)letter:X4}.");
        }

        if (char.IsWhiteSpace(name[0]) || char.IsWhiteSpace(name[^1]))
            throw Refuse.Invalid($"name '{Refuse.Show(name)}' begins or ends with white space.");
    }

    private static void CheckSize(RegisterFunctionRequest request, ServiceLimits limits)
    {
        var name = Refuse.Show(request.Name);
        if (request.Code.Length > limits.CodeBytes)
            throw Refuse.Exhausted($"code of function '{name}' has {request.Code.Length} bytes; the limit code_bytes is {limits.CodeBytes}.");
        if (!request.Code.IsEmpty)
            return;
        throw Refuse.Invalid(request.Kind switch
        {
            FunctionKind.Command => $"code of function '{name}' is empty; it must be the command's definition.",
            FunctionKind.Dotnet => $"code of function '{name}' is empty; it must be an assembly, or a zip archive of it and what it needs.",
            _ => $"code of function '{name}' is empty; it must be Python source that defines '{request.Entry}'.",
        });
    }

    private static void CheckSource(RegisterFunctionRequest request)
    {
        var code = request.Code.Span;
        var name = Refuse.Show(request.Name);
        var zero = code.IndexOf((byte)0);
        if (zero >= 0)
            throw Refuse.Invalid($"code of function '{name}' has a zero byte at offset {zero}; Python source must not.");
        try
        {
            _ = _strict.GetCharCount(code);
        }
        catch (DecoderFallbackException problem)
        {
            throw Refuse.Invalid($"code of function '{name}' is not UTF-8: the bytes at offset {problem.Index} are not a character.");
        }
    }
}
