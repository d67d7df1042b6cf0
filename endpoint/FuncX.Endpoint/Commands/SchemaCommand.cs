using System.CommandLine;
using FuncX.Configuration;
using FuncX.Endpoint.Hosting;

namespace FuncX.Endpoint.Commands;

/// <summary><c>funcx-endpoint schema</c>: what a machine's file may hold, for editors or for people.</summary>
internal static class SchemaCommand
{
    public static Command Create()
    {
        var reference = new Option<bool>("--reference") { Description = "The page for people instead: every key with default, range and meaning, in Markdown" };
        var command = new Command("schema", "Print the JSON Schema of a machine's file, for editors") { reference };
        command.SetAction(parsed => Run(parsed.GetValue(reference)));
        return command;
    }

    private static int Run(bool reference)
    {
        Console.Out.Write(reference ? EndpointReference.Write() : EndpointSchema.Write());
        return ExitCode.Done;
    }
}
