using System.IO.Compression;
using FuncX.Tests.Integration.Harness;
using Google.Protobuf;

namespace FuncX.Tests.Integration.Outcomes;

/// <summary>What .NET functions can do, on an endpoint that has no Python at all.</summary>
[Trait(Beside.Name, Beside.Scenarios)]
public sealed class DotnetFunctionTests
{
    [Fact]
    public Task Methods_get_JSON_arguments_and_give_JSON_values() => Scenario.SharingAsync(new EndpointOptions { Python = "/no/python" }, async cluster =>
    {
        await ShouldGiveAsync("Square", "[7]", "56");
        await ShouldGiveAsync("Square", """{"kwargs": {"x": -1}}""", "8");
        await ShouldGiveAsync("Later", """["a", 1]""", "\"a!\"");
        await ShouldGiveAsync("Later", """{"kwargs": {"text": "b"}}""", "\"b!\"");
        await ShouldGiveAsync("Soon", "[41]", "42");
        await ShouldGiveAsync("Nothing", "[]", "null");
        await ShouldGiveAsync("Shift", """[{"X": 1, "Y": 2.5}]""", """{"X":2,"Y":3.5}""");
        await ShouldGiveAsync("Median", "[[5, 1, 9, 3, 7]]", "5");

        await ShouldFailAsync("Square", "[]", "the argument 'x' is missing");
        await ShouldFailAsync("Square", "[1, 2]", "there are 2 arguments");
        await ShouldFailAsync("Square", """["seven"]""", "does not fit its type System.Int32");
        await ShouldFailAsync("FailLater", "[4]", "Calls.FailLater(Int32 x)");
        await ShouldFailAsync("NotThere", "[]", "has no public method NotThere");

        // A method that takes a token is asked to end, and its worker is not needed to.
        var patient = await cluster.Api.RegisterDotnetAsync("Patient");
        (await cluster.CallAsync(patient, "[]", new TaskOptions { WalltimeMs = 300 })).Outcome.ShouldBe(Outcome.TimedOut);

        // The same signal from somebody else ends it, too, and is no failure of its own.
        var begin = await cluster.Api.RegisterDotnetAsync("Begin");
        var begun = Path.Combine(cluster.DirectoryPath, "begun");
        await cluster.Api.SubmitAsync(ServiceApi.Request(begin, cluster.EndpointId, "told", [$"[\"{begun}\"]"], new TaskOptions { MaxAttempts = 1 }));
        await Eventually.TrueAsync(() => File.Exists(begun), "it has begun");
        foreach (var worker in ProcessTable.Tree(cluster.Endpoint.Managers().Single().Pid).Where(static entry => entry.Arguments.Any(static argument => argument.Contains("funcx-worker", StringComparison.Ordinal))))
            worker.Identity.Terminate();
        var told = (await cluster.Api.WaitAsync("told", 1)).Values.Single();
        told.Outcome.ShouldBe(Outcome.Lost, told.Text);
        told.Text.ShouldContain("was told to end by SIGTERM");

        var square = await cluster.Api.RegisterDotnetAsync("Square");
        await cluster.Api.SubmitAsync(ServiceApi.Request(square, cluster.EndpointId, "many", Enumerable.Range(0, 500).Select(static i => $"[{i}]")));
        foreach (var (task, result) in await cluster.Api.WaitAsync("many", 500))
            result.ShouldHaveValue($"{(task.Index * task.Index) + 7}");

        // One file of it is damaged: what was unpacked before that is not taken for the package by the next call.
        var damaged = await cluster.Api.RegisterDotnetAsync("Square", DamagedPackage());
        for (var call = 0; call < 2; call++)
        {
            var result = await cluster.CallAsync(damaged, "[7]");
            result.Outcome.ShouldBe(Outcome.Exception);
            result.Text.ShouldContain("zz.txt in the package is damaged");
        }

        async Task ShouldGiveAsync(string method, string arguments, string value) =>
            (await cluster.CallAsync(await cluster.Api.RegisterDotnetAsync(method), arguments)).ShouldHaveValue(value);

        async Task ShouldFailAsync(string method, string arguments, string reason)
        {
            var result = await cluster.CallAsync(await cluster.Api.RegisterDotnetAsync(method), arguments);
            result.Outcome.ShouldBe(Outcome.Exception, result.Text);
            System.Text.Json.JsonDocument.Parse(result.Value).RootElement.EnumerateObject().Select(static part => part.Value.ToString()).ShouldContain(part => part.Contains(reason, StringComparison.Ordinal), result.Text);
        }
    });

    /// <summary>More functions than are kept loaded: those used least lately are unloaded and loaded again.</summary>
    [LongFact]
    public Task Functions_that_were_unloaded_are_loaded_again() => Scenario.SharingAsync(new EndpointOptions { Python = "/no/python", WorkersPerNode = 1 }, async cluster =>
    {
        var assembly = Path.Combine(SourceTree.Root, "tests", "FuncX.Tests.Functions", "bin", "Release", "net10.0", "Lab.dll");
        var functions = new List<string>();
        for (var i = 0; i < 40; i++)
        {
            // Bytes behind an assembly's end are no part of it, and make it another function.
            byte[] code = [.. await File.ReadAllBytesAsync(assembly), (byte)i];
            functions.Add((await cluster.Api.Functions.RegisterAsync(
                new RegisterFunctionRequest { Kind = FunctionKind.Dotnet, Name = $"f{i}", Entry = "Lab::FuncX.Tests.Functions.Calls::Square", Code = ByteString.CopyFrom(code) }, cluster.Api.Headers)).FunctionId);
        }

        for (var round = 0; round < 3; round++)
        {
            var group = $"round{round}";
            foreach (var function in functions)
                await cluster.Api.SubmitAsync(ServiceApi.Request(function, cluster.EndpointId, group, ["[3]"]));
            (await cluster.Api.WaitAsync(group, functions.Count)).Values.ShouldAllBe(static result => result.Text == "16");
        }
    });

    [LongFact]
    public Task A_package_that_is_no_assembly_is_an_exception_and_the_worker_stays() => Scenario.SharingAsync(new EndpointOptions { Python = "/no/python" }, async cluster =>
    {
        var broken = (await cluster.Api.Functions.RegisterAsync(
            new RegisterFunctionRequest { Kind = FunctionKind.Dotnet, Name = "broken", Entry = "Lab::A::B", Code = ByteString.CopyFrom("MZ but no assembly"u8) }, cluster.Api.Headers)).FunctionId;
        var result = await cluster.CallAsync(broken, "[]");
        result.Outcome.ShouldBe(Outcome.Exception, result.Text);
        result.Text.ShouldContain("BadImageFormatException");
        var square = await cluster.Api.RegisterDotnetAsync("Square");
        (await cluster.CallAsync(square, "[7]")).ShouldHaveValue("56");
    });

    private static byte[] DamagedPackage()
    {
        using var stream = new MemoryStream();
        stream.Write(Kinds.Package);
        using (var archive = new ZipArchive(stream, ZipArchiveMode.Update, leaveOpen: true))
        {
            using var text = new StreamWriter(archive.CreateEntry("zz.txt").Open());
            text.Write(string.Concat(Enumerable.Range(0, 1_000)));
        }

        var bytes = stream.ToArray();
        // local file header: signature u32 ... name length u16 at 26, extra length u16 at 28, then both and the data
        var header = bytes.AsSpan().LastIndexOf("PK\u0003\u0004"u8);
        var data = header + 30 + BitConverter.ToUInt16(bytes, header + 26) + BitConverter.ToUInt16(bytes, header + 28);
        // A block of the kind that deflate does not have.
        bytes[data] = 0xFF;
        return bytes;
    }
}
