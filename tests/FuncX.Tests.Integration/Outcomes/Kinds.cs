using System.IO.Compression;
using Google.Protobuf;

namespace FuncX.Tests.Integration.Outcomes;

/// <summary>Registers functions of every kind.</summary>
public static class Kinds
{
    private static readonly Lazy<byte[]> s_package = new(Pack);

    /// <summary>The tests' own .NET functions with what they need.</summary>
    public static byte[] Package => s_package.Value;

    public static async Task<string> RegisterCommandAsync(this ServiceApi api, string name, string definition, params string[] requires) => (await api.Functions.RegisterAsync(
        new RegisterFunctionRequest { Kind = FunctionKind.Command, Name = name, Code = ByteString.CopyFromUtf8(definition), Requires = { requires } }, api.Headers)).FunctionId;

    public static async Task<string> RegisterDotnetAsync(this ServiceApi api, string method, byte[]? package = null, string[]? requires = null) => (await api.Functions.RegisterAsync(
        new RegisterFunctionRequest
        {
            Kind = FunctionKind.Dotnet, Name = method, Entry = $"Lab::FuncX.Tests.Functions.Calls::{method}", Code = ByteString.CopyFrom(package ?? Package), Requires = { requires ?? [] },
        },
        api.Headers)).FunctionId;

    /// <summary>The same function in a container.</summary>
    public static async Task<string> InContainerAsync(this ServiceApi api, string function)
    {
        var container = await api.Containers.RegisterAsync(
            new RegisterContainerRequest { Name = "image", Images = { ["apptainer"] = "/images/image.sif", ["docker"] = "lab/image:1" } }, api.Headers);
        var known = await api.Functions.GetAsync(new GetFunctionRequest { Function = function, IncludeCode = true }, api.Headers);
        return (await api.Functions.RegisterAsync(
            new RegisterFunctionRequest { Kind = known.Kind, Name = known.Name, Entry = known.Entry, Code = known.Code, Requires = { known.Requires }, Container = container.ContainerId }, api.Headers)).FunctionId;
    }

    /// <summary>One call in a group of its own, and how it ended.</summary>
    public static async Task<TaskResult> CallAsync(this LocalCluster cluster, string function, string arguments, TaskOptions? options = null)
    {
        var group = $"call-{Guid.NewGuid():N}";
        await cluster.Api.SubmitAsync(ServiceApi.Request(function, cluster.EndpointId, group, [arguments], options));
        return (await cluster.Api.WaitAsync(group, 1)).Values.Single();
    }

    private static byte[] Pack()
    {
        var folder = Path.Combine(Harness.SourceTree.Root, "tests", "FuncX.Tests.Functions", "bin", "Release", "net10.0");
        using var bytes = new MemoryStream();
        using (var archive = new ZipArchive(bytes, ZipArchiveMode.Create, leaveOpen: true))
        {
            foreach (var file in Directory.EnumerateFiles(folder).Where(static file => Path.GetExtension(file) is ".dll" or ".json" or ".pdb"))
                archive.CreateEntryFromFile(file, Path.GetFileName(file));
        }

        return bytes.ToArray();
    }
}
