using System.Text;
using FuncX.Contracts.V1;
using FuncX.Service.Limits;
using Grpc.Core;

namespace FuncX.Service.Registry;

/// <summary>Checks what a client wants to register.</summary>
internal static class FunctionRegistration
{
    public const int MostNameCharacters = 128;
    public const int MostEntryCharacters = 256;
    public const int MostDescriptionCharacters = 4_096;

    private static readonly UTF8Encoding _strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <returns>The kind as it is stored and sent over links.</returns>
    /// <exception cref="RpcException">INVALID_ARGUMENT, UNIMPLEMENTED for a kind that cannot run yet, RESOURCE_EXHAUSTED for too much code.</exception>
    public static string Check(RegisterFunctionRequest request, ServiceLimits limits)
    {
        if (request.Kind is FunctionKind.Command or FunctionKind.Dotnet or FunctionKind.Mpi)
        {
            throw new RpcException(new Status(
                StatusCode.Unimplemented, $"functions of kind '{request.Kind.ToString().ToLowerInvariant()}' are not built yet; this service runs kind 'python'."));
        }

        if (request.Kind != FunctionKind.Python)
            throw Refuse.Invalid($"kind is {(int)request.Kind}; it must be {(int)FunctionKind.Python} (python).");
        CheckName(request.Name);
        CheckDescription(request.Description);
        if (request.Entry.Length > MostEntryCharacters || !PythonIdentifier.IsValid(request.Entry))
        {
            throw Refuse.Invalid(
                $"entry of function '{Refuse.Show(request.Name)}' is '{Refuse.Show(request.Entry)}'; it must be the name of what the source defines: a Python identifier of at most {MostEntryCharacters} characters, no keyword.");
        }

        CheckCode(request, limits);
        return "python";
    }

    public static void CheckDescription(string description)
    {
        if (description.Length > MostDescriptionCharacters)
            throw Refuse.Invalid($"description has {description.Length} characters; the most is {MostDescriptionCharacters}.");
    }

    private static void CheckName(string name)
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

    private static void CheckCode(RegisterFunctionRequest request, ServiceLimits limits)
    {
        var code = request.Code.Span;
        var name = Refuse.Show(request.Name);
        if (code.Length > limits.CodeBytes)
            throw Refuse.Exhausted($"code of function '{name}' has {code.Length} bytes; the limit code_bytes is {limits.CodeBytes}.");
        if (code.IsEmpty)
            throw Refuse.Invalid($"code of function '{name}' is empty; it must be Python source that defines '{request.Entry}'.");
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
