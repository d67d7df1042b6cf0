using FuncX.Configuration;

namespace FuncX.Endpoint.Commands;

/// <summary>Reads the machine's file for a command and prints what is wrong with it.</summary>
internal static class ConfigurationLoading
{
    /// <summary>Null after the errors were printed, each as FILE:LINE:COLUMN: error: message.</summary>
    public static ConfigurationResult<EndpointConfiguration>? Load(FileInfo file)
    {
        var result = EndpointConfigurationFile.Read(file.ToString());
        if (result.IsValid)
            return result;
        Print(result.Errors, "error");
        return null;
    }

    public static void Print(IEnumerable<ConfigurationError> errors, string kind)
    {
        foreach (var error in errors)
            Console.Error.WriteLine($"{error.File}:{error.Line}:{error.Column}: {kind}: {error.Message}");
    }
}
