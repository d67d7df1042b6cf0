using System.CommandLine;
using FuncX.Cli.Output;
using FuncX.Contracts.V1;

namespace FuncX.Cli.Commands;

/// <summary><c>funcx container register|list|show|delete</c>.</summary>
internal static class ContainerCommands
{
    public static Command Create(CommandLine commands) => new("container", "Register, list, show and delete containers: images that functions run in.")
    {
        Register(commands),
        List(commands),
        Show(commands),
        Delete(commands),
    };

    /// <summary>For commands that register functions.</summary>
    internal static Option<string?> Option() => new("--container") { Description = "The registered container that it runs in: its id, the first 8 or more digits of it, or its name." };

    private static Command Register(CommandLine commands)
    {
        var name = new Argument<string>("name") { Description = "Name for people." };
        var images = new Option<string[]>("--image")
        {
            Description = "RUNTIME=IMAGE, once for each runtime that is to run it: apptainer, shifter, podman, docker, charliecloud or bubblewrap; as apptainer=/project/images/ml.sif.",
            Arity = ArgumentArity.OneOrMore,
            Required = true,
        };
        var environment = new Option<string[]>("--env") { Description = "NAME=TEXT, a variable set inside; may be repeated.", Arity = ArgumentArity.ZeroOrMore };
        var description = new Option<string>("--description") { Description = "For people.", DefaultValueFactory = _ => "" };
        var command = new Command("register", "Register a container.") { name, images, environment, description };
        commands.On(command, async (invocation, cancellation) =>
        {
            var parsed = invocation.Parsed;
            var byRuntime = Pairs.Read("--image", "RUNTIME=IMAGE", parsed.GetRequiredValue(images));
            var variables = Pairs.Read("--env", "NAME=TEXT", parsed.GetValue(environment) ?? []);
            await using var client = invocation.Connect();
            var container = await client.Containers.RegisterAsync(parsed.GetRequiredValue(name), byRuntime, variables, parsed.GetValue(description) ?? "", cancellation);
            if (invocation.IsJson)
                invocation.WriteJson(Document(container));
            else
                await invocation.Terminal.Output.WriteLineAsync(container.ContainerId);
            return ExitCodes.Ok;
        });
        return command;
    }

    private static Command List(CommandLine commands)
    {
        var limit = WholeNumber.Option("--limit", "At most so many, newest first", 1, 1_000, 100);
        var command = new Command("list", "List your containers, newest first.") { limit };
        commands.On(command, async (invocation, cancellation) =>
        {
            await using var client = invocation.Connect();
            var containers = await client.Containers.ListAsync(invocation.Parsed.GetValue(limit), cancellation);
            if (invocation.IsJson)
            {
                invocation.WriteJson(containers.Select(Document));
                return ExitCodes.Ok;
            }

            var table = Tables.New("name", "container id", "images", "registered", "description");
            foreach (var container in containers)
                table.Add(container.Name, container.ContainerId, Runtimes(container), Tables.Time(container.RegisteredAt), container.Description);
            invocation.Terminal.People.Write(table);
            return ExitCodes.Ok;
        });
        return command;
    }

    private static Command Show(CommandLine commands)
    {
        var named = Named();
        var command = new Command("show", "Show one container with its images and environment.") { named };
        commands.On(command, async (invocation, cancellation) =>
        {
            await using var client = invocation.Connect();
            var container = await client.Containers.GetAsync(invocation.Parsed.GetRequiredValue(named), cancellation);
            if (invocation.IsJson)
            {
                invocation.WriteJson(Document(container));
                return ExitCodes.Ok;
            }

            var output = invocation.Terminal.Output;
            await output.WriteLineAsync($"container    {container.ContainerId}");
            await output.WriteLineAsync($"name         {container.Name}");
            if (container.Description.Length > 0)
                await output.WriteLineAsync($"description  {container.Description}");
            foreach (var (runtime, image) in container.Images.OrderBy(static image => image.Key, StringComparer.Ordinal))
                await output.WriteLineAsync($"{runtime,-12} {image}");
            foreach (var (variable, value) in container.Environment.OrderBy(static variable => variable.Key, StringComparer.Ordinal))
                await output.WriteLineAsync($"environment  {variable}={value}");
            await output.WriteLineAsync($"registered   {Tables.Time(container.RegisteredAt)}");
            return ExitCodes.Ok;
        });
        return command;
    }

    private static Command Delete(CommandLine commands)
    {
        var named = Named();
        var command = new Command("delete", "Delete a container; functions that run in it go on, others cannot name it any more.") { named };
        commands.On(command, async (invocation, cancellation) =>
        {
            await using var client = invocation.Connect();
            var container = await client.Containers.GetAsync(invocation.Parsed.GetRequiredValue(named), cancellation);
            await client.Containers.DeleteAsync(container, cancellation);
            if (invocation.IsJson)
                invocation.WriteJson(new { Deleted = container.ContainerId });
            else
                await invocation.Terminal.Output.WriteLineAsync($"Deleted container {container.Name} ({container.ContainerId}).");
            return ExitCodes.Ok;
        });
        return command;
    }

    private static Argument<string> Named() => new("container") { Description = "A container's id, the first 8 or more digits of it, or its name." };

    private static string Runtimes(ContainerInfo container) => string.Join(", ", container.Images.Keys.Order(StringComparer.Ordinal));

    private static object Document(ContainerInfo container) => new
    {
        container.ContainerId,
        container.Name,
        Images = new SortedDictionary<string, string>(container.Images, StringComparer.Ordinal),
        Environment = new SortedDictionary<string, string>(container.Environment, StringComparer.Ordinal),
        container.Description,
        container.RegisteredAt,
    };
}
