using System.Text.Json;
using FuncX.Tests.Client.Fake;
using FuncX.Wire;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Client;

/// <summary>What sdk/README.md promises to programs: with --json, standard output is JSON with these keys and nothing else.</summary>
[Collection(nameof(CommandHarness))]
public sealed class CliJsonTests : CommandHarness
{
    private const string Function = "function_id,name,kind,entry,description,registered_at,requires,container_id";
    private const string Container = "container_id,name,images,environment,description,registered_at";
    private const string Endpoint = "endpoint_id,name,description,online,last_seen,registered_at,epoch,version,queued,dispatched,status";
    private const string Group = "group,tasks,queued,waiting,dispatched,done,failed,labels,last_active";
    private const string Task = "task,function_id,endpoint_id,group,state,outcome,waiting_for,waiting_reason,attempts,losses,max_attempts,code,times,hops";

    [Theory]
    [InlineData(Function, "function", "register", "FILE:fit")]
    [InlineData(Function, "function", "list")]
    [InlineData(Function + ",code", "function", "show", "same")]
    [InlineData("deleted", "function", "delete", "same")]
    [InlineData(Container, "container", "register", "ml", "--image", "docker=lab/ml:1")]
    [InlineData(Container, "container", "list")]
    [InlineData(Container, "container", "show", "image")]
    [InlineData("deleted", "container", "delete", "image")]
    [InlineData(Endpoint, "endpoint", "list")]
    [InlineData(Endpoint, "endpoint", "show", "lab")]
    [InlineData("deleted", "endpoint", "delete", "lab")]
    [InlineData("task,outcome,value", "run", "same", "lab", "1")]
    [InlineData("task,outcome,error", "run", "fails", "lab", "1")]
    [InlineData("index,task,value", "map", "same", "lab", "LINES")]
    [InlineData("index,task,error", "map", "fails", "lab", "LINES")]
    [InlineData("index,file,task,value", "map", "same", "lab", "--files", "LINES")]
    [InlineData("index,file,task,error", "map", "fails", "lab", "--files", "LINES")]
    [InlineData("index,file,task,output", "map", "same", "lab", "--files", "LINES", "--output-dir", "DIRECTORY")]
    [InlineData(Task, "task", "show", "TASK")]
    [InlineData("task,outcome,value,stdout,stderr", "task", "result", "TASK")]
    [InlineData("task,outcome,error,stdout,stderr", "task", "result", "FAILED")]
    [InlineData("cancelled", "task", "cancel", "TASK")]
    [InlineData(Group, "group", "show", "g")]
    [InlineData(Group, "group", "wait", "g")]
    [InlineData(Group, "group", "list")]
    [InlineData(Group, "group", "label", "g", "a=1")]
    [InlineData("task,value,cursor", "group", "results", "g")]
    [InlineData("task,error,cursor", "group", "results", "failed")]
    [InlineData("cancelled", "group", "cancel", "g")]
    [InlineData("service,credentials", "login")]
    public async Task Output_is_json_with_the_documented_keys(string keys, params string[] arguments)
    {
        var known = await PrepareAsync();

        var (_, output, _) = await ServiceAsync([.. arguments.Select(argument => known.GetValueOrDefault(argument, argument)), "--json"]);

        var documents = output.TrimEnd('\n').Split('\n').Select(line => JsonDocument.Parse(line).RootElement)
            .SelectMany(element => element.ValueKind == JsonValueKind.Array ? element.EnumerateArray().AsEnumerable() : [element]).ToList();
        documents.ShouldNotBeEmpty();
        documents.ShouldAllBe(document => string.Join(',', document.EnumerateObject().Select(property => property.Name)) == keys);
    }

    [Fact]
    public async Task A_task_that_waits_has_no_outcome_yet()
    {
        Service.State.Holding = true;
        var task = await SubmitOneAsync(wait: false);

        using var document = JsonDocument.Parse((await ServiceAsync("task", "show", task, "--json")).Output);

        document.RootElement.GetProperty("state").GetString().ShouldBe("queued");
        document.RootElement.GetProperty("outcome").ValueKind.ShouldBe(JsonValueKind.Null);
    }

    /// <summary>A task with a value, one without, and what else the commands name.</summary>
    private async Task<Dictionary<string, string>> PrepareAsync()
    {
        var file = Path.Combine(DirectoryPath, "work.py");
        await File.WriteAllTextAsync(file, "def fit(x):\n    return x\n");
        var lines = Path.Combine(DirectoryPath, "in.jsonl");
        await File.WriteAllTextAsync(lines, "1\n2\n");
        var fails = Service.State.AddFunction("fails", _ => (TaskOutcome.Exception, """{"type": "ValueError", "message": "no"}"""));
        Service.State.Containers.Add(new Contracts.V1.ContainerInfo { ContainerId = new string('c', 64), Name = "image", Images = { ["docker"] = "lab/image" } });
        var task = await SubmitOneAsync();
        await using var client = Service.Client(new FuncX.Client.FuncXClientOptions { Group = "failed" });
        var failed = await client.SubmitAsync<int, int>(fails, Service.State.Endpoints[0], 1);
        await failed.Accepted;
        return new() { ["FILE:fit"] = $"{file}:fit", ["LINES"] = lines, ["DIRECTORY"] = Path.Combine(DirectoryPath, "out"), ["TASK"] = task, ["FAILED"] = failed.Id.ToString() };
    }
}
