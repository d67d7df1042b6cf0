using System.Security.Cryptography;
using FuncX.Contracts.V1;
using FuncX.Service.Auth;
using FuncX.Service.Hosting;
using FuncX.Service.Limits;
using FuncX.Service.Registry;
using Google.Protobuf;
using Grpc.Core;
using Microsoft.Data.Sqlite;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit.ServiceFront;

public sealed class ServiceRegistryTests(SharedService shared) : IClassFixture<SharedService>
{
    [Fact]
    public void Registering_the_same_function_twice_gives_the_same_id_and_one_function()
    {
        var running = shared.Running;
        var token = running.CreateToken($"user-{Guid.NewGuid():N}").Text;
        var first = running.RegisterFunction(token);
        var second = running.RegisterFunction(token);
        second.ShouldBe(first);
        List(running, token).ShouldHaveSingleItem();
    }

    [Fact]
    public void The_id_is_the_hash_of_kind_entry_and_code_each_after_its_length()
    {
        byte[] expected = [6, 0, 0, 0, .. "python"u8, 1, 0, 0, 0, .. "f"u8, 4, 0, 0, 0, .. "code"u8];
        FunctionIdentity.Compute("python", "f", "code"u8).ShouldBe(Convert.ToHexStringLower(SHA256.HashData(expected)));
        FunctionIdentity.Compute("python", "fc", "ode"u8).ShouldNotBe(FunctionIdentity.Compute("python", "f", "code"u8));
    }

    [Fact]
    public void What_a_function_requires_is_part_of_what_it_is_and_one_that_cannot_be_read_is_refused()
    {
        var running = shared.Running;
        var headers = RunningService.Bearer(running.CreateToken($"user-{Guid.NewGuid():N}").Text);
        var plain = running.Functions.Register(Request(), headers);
        var one = running.Functions.Register(Request("python >= 3.9, < 3.13", "dotnet>=10"), headers);
        one.Requires.ShouldBe(["dotnet>=10", "python>=3.9,<3.13"]);
        one.FunctionId.ShouldNotBe(plain.FunctionId);
        running.Functions.Register(Request("dotnet>=10", "python>=3.9,<3.13", "dotnet >=10"), headers).FunctionId.ShouldBe(one.FunctionId);
        running.Functions.Get(new GetFunctionRequest { Function = one.FunctionId }, headers).Requires.ShouldBe(one.Requires);
        foreach (var (wrong, why) in new[] { (new[] { "ruby>=3" }, "'ruby>=3' is no requirement"), (Enumerable.Repeat("python>=3", 17).ToArray(), "has 17 requirements; the most is 16") })
        {
            var refused = Should.Throw<RpcException>(() => running.Functions.Register(Request(wrong), headers));
            refused.StatusCode.ShouldBe(StatusCode.InvalidArgument);
            refused.Status.Detail.ShouldContain(why);
        }

        static RegisterFunctionRequest Request(params string[] requires) => new()
        {
            Kind = FunctionKind.Python, Name = "f", Entry = "f", Code = Google.Protobuf.ByteString.CopyFromUtf8("def f(): pass"), Requires = { requires },
        };
    }

    [Fact]
    public void A_function_is_found_by_id_by_the_beginning_of_its_id_and_by_name()
    {
        var running = shared.Running;
        var token = running.CreateToken($"user-{Guid.NewGuid():N}").Text;
        var headers = RunningService.Bearer(token);
        var function = running.RegisterFunction(token);
        foreach (var asked in (string[])[function.FunctionId, function.FunctionId.ToUpperInvariant(), function.FunctionId[..8], "double"])
            running.Functions.Get(new GetFunctionRequest { Function = asked }, headers).ShouldBe(function);
        running.Functions.Get(new GetFunctionRequest { Function = "double", IncludeCode = true }, headers).Code.ToStringUtf8().ShouldContain("return 2 * x");
        Should.Throw<RpcException>(() => running.Functions.Get(new GetFunctionRequest { Function = function.FunctionId[..7] }, headers))
            .StatusCode.ShouldBe(StatusCode.NotFound);
    }

    [Fact]
    public void The_beginning_of_two_ids_is_ambiguous()
    {
        using var directory = new ScratchDirectory();
        var (database, owner) = NewRegistry(directory);
        var catalog = new FunctionCatalog(database);
        foreach (var last in "ab")
            catalog.TryRegister(new FunctionRecord(0, owner, new string('0', 63) + last, "python", "f", "f", [1]), 10, out _).ShouldBeTrue();
        catalog.FindByPrefix(owner, "00000000", most: 2).Count.ShouldBe(2);
        catalog.FindByPrefix(owner, new string('0', 63) + "a", most: 2).ShouldHaveSingleItem();
        catalog.FindByPrefix(owner, "0000000f", most: 2).ShouldBeEmpty();
    }

    [Fact]
    public void A_name_means_the_function_that_was_registered_under_it_last()
    {
        var running = shared.Running;
        var token = running.CreateToken($"user-{Guid.NewGuid():N}").Text;
        var one = running.RegisterFunction(token, code: "def double(x): return x + x");
        var other = running.RegisterFunction(token, code: "def double(x): return x * 2");
        ByName().ShouldBe(other.FunctionId);
        running.RegisterFunction(token, code: "def double(x): return x + x").FunctionId.ShouldBe(one.FunctionId);
        ByName().ShouldBe(one.FunctionId);
        List(running, token).Count.ShouldBe(2);

        string ByName() => running.Functions.Get(new GetFunctionRequest { Function = "double" }, RunningService.Bearer(token)).FunctionId;
    }

    [Fact]
    public void A_deleted_function_is_unknown_by_id_known_by_number_and_comes_back_under_the_same_number()
    {
        var running = shared.Running;
        var token = running.CreateToken($"user-{Guid.NewGuid():N}").Text;
        var headers = RunningService.Bearer(token);
        var id = running.RegisterFunction(token).FunctionId;
        var catalog = running.Get<FunctionCatalog>();
        var owner = running.Get<Authenticator>().Authenticate($"Bearer {token}", out _)!.Caller.Owner;
        catalog.TryGet(owner, id, out var before).ShouldBeTrue();
        running.Functions.Delete(new DeleteFunctionRequest { FunctionId = id }, headers);
        catalog.TryGet(owner, id, out _).ShouldBeFalse();
        new FunctionCatalog(running.Get<RegistryDatabase>()).TryGetByNumber(before.Number, out var deleted).ShouldBeTrue();
        deleted.Code.ShouldBe(before.Code);
        deleted.IsDeleted.ShouldBeTrue();
        Should.Throw<RpcException>(() => running.Functions.Delete(new DeleteFunctionRequest { FunctionId = id }, headers)).StatusCode.ShouldBe(StatusCode.NotFound);
        running.RegisterFunction(token);
        catalog.TryGet(owner, id, out var after).ShouldBeTrue();
        after.Number.ShouldBe(before.Number);
    }

    [Fact]
    public void What_belongs_to_another_answers_word_for_word_like_what_does_not_exist()
    {
        var running = shared.Running;
        var ann = running.CreateToken("ann").Text;
        var bob = RunningService.Bearer(running.CreateToken("bob").Text);
        var function = running.RegisterFunction(ann).FunctionId;
        var endpoint = running.Endpoints.Register(new RegisterEndpointRequest { Name = "here" }, RunningService.Bearer(ann)).EndpointId;
        var noFunction = new string('5', 64);
        var noEndpoint = Guid.NewGuid().ToString();
        Action<string>[] functionCalls =
        [
            id => running.Functions.Get(new GetFunctionRequest { Function = id }, bob),
            id => running.Functions.Delete(new DeleteFunctionRequest { FunctionId = id }, bob),
        ];
        Action<string>[] endpointCalls =
        [
            id => running.Endpoints.Get(new GetEndpointRequest { Endpoint = id }, bob),
            id => running.Endpoints.Delete(new DeleteEndpointRequest { EndpointId = id }, bob),
        ];
        foreach (var call in functionCalls)
            Answer(call, function).ShouldBe(Answer(call, noFunction));
        foreach (var call in endpointCalls)
            Answer(call, endpoint).ShouldBe(Answer(call, noEndpoint));
        Answer(functionCalls[0], "double").ShouldBe(Answer(functionCalls[0], "triple"));
        List(running, ann).ShouldHaveSingleItem();
        running.Endpoints.List(new ListEndpointsRequest(), bob).Endpoints.ShouldBeEmpty();

        static (StatusCode, string) Answer(Action<string> call, string id)
        {
            var problem = Should.Throw<RpcException>(() => call(id));
            return (problem.StatusCode, problem.Status.Detail.Replace(id, "ID", StringComparison.Ordinal));
        }
    }

    [Theory]
    [InlineData("", "f", "def f(): pass", "name has 0 characters")]
    [InlineData("a\u0007b", "f", "def f(): pass", "control character U+0007")]
    [InlineData("f", "", "def f(): pass", "entry")]
    [InlineData("f", "1f", "def f(): pass", "entry")]
    [InlineData("f", "f.g", "def f(): pass", "entry")]
    [InlineData("f", "lambda", "def f(): pass", "entry")]
    [InlineData("f", "f", "", "is empty")]
    [InlineData("f", "f", "def f():\0 pass", "zero byte at offset 8")]
    public void A_function_that_cannot_be_one_is_refused_by_what_is_wrong(string name, string entry, string code, string words)
    {
        var running = shared.Running;
        var token = running.CreateToken($"user-{Guid.NewGuid():N}").Text;
        var problem = Should.Throw<RpcException>(() => running.RegisterFunction(token, name, entry, code));
        problem.StatusCode.ShouldBe(StatusCode.InvalidArgument);
        problem.Status.Detail.ShouldContain(words);
    }

    [Fact]
    public async Task Source_that_is_not_utf8_or_too_long_is_refused()
    {
        await using var running = await RunningService.StartAsync(new ServiceLimits { CodeBytes = 1_000 });
        var request = new RegisterFunctionRequest { Kind = FunctionKind.Python, Name = "f", Entry = "f", Code = ByteString.CopyFrom(0x61, 0xff, 0x62) };
        Refused().Detail.ShouldContain("offset 1");
        request.Code = ByteString.CopyFrom(new byte[1_001]);
        Refused().Detail.ShouldBe("code of function 'f' has 1001 bytes; the limit code_bytes is 1000.");

        Status Refused() => Should.Throw<RpcException>(() => running.Functions.Register(request, RunningService.Bearer(running.AdminToken))).Status;
    }

    [Theory]
    [InlineData(FunctionKind.Command, "", """{"command": []}""", "'command' must be a list of 1 to 4096 texts")]
    [InlineData(FunctionKind.Command, "", """{"command": ["a"], "walltme": 3}""", "'walltme' is no key of a command")]
    [InlineData(FunctionKind.Command, "f", """{"command": ["a"]}""", "a command has none")]
    [InlineData(FunctionKind.Command, "", "", "it must be the command's definition")]
    [InlineData(FunctionKind.Dotnet, "Lab::Calls::Square", "no archive", "neither an assembly nor a zip archive")]
    [InlineData(FunctionKind.Dotnet, "Calls.Square", "MZ", "must be Assembly::Namespace.Type::Method")]
    [InlineData(FunctionKind.Dotnet, "Lab::Calls::Square", "", "it must be an assembly, or a zip archive")]
    public void What_can_never_run_is_refused_when_it_is_registered(FunctionKind kind, string entry, string code, string reason)
    {
        var token = shared.Running.CreateToken($"user-{Guid.NewGuid():N}").Text;
        var request = new RegisterFunctionRequest { Kind = kind, Name = "f", Entry = entry, Code = ByteString.CopyFromUtf8(code) };
        var problem = Should.Throw<RpcException>(() => shared.Running.Functions.Register(request, RunningService.Bearer(token)));
        problem.StatusCode.ShouldBe(StatusCode.InvalidArgument);
        problem.Status.Detail.ShouldContain(reason);
    }

    [Fact]
    public void Functions_of_every_kind_are_told_as_what_they_were_registered()
    {
        var headers = RunningService.Bearer(shared.Running.CreateToken($"user-{Guid.NewGuid():N}").Text);
        var functions = shared.Running.Functions;
        var command = functions.Register(new RegisterFunctionRequest { Kind = FunctionKind.Command, Name = "echo", Code = ByteString.CopyFromUtf8("""{"command": ["echo"]}""") }, headers);
        var dotnet = functions.Register(new RegisterFunctionRequest { Kind = FunctionKind.Dotnet, Name = "net", Entry = "Lab::Calls::Square", Code = ByteString.CopyFrom(0x4d, 0x5a, 0xff) }, headers);
        functions.Get(new GetFunctionRequest { Function = "echo" }, headers).ShouldBe(command);
        var got = functions.Get(new GetFunctionRequest { Function = "net", IncludeCode = true }, headers);
        (got.FunctionId, got.Kind, got.Entry).ShouldBe((dotnet.FunctionId, FunctionKind.Dotnet, "Lab::Calls::Square"));
        got.Code.ToByteArray().ShouldBe([0x4d, 0x5a, 0xff]);
        functions.List(new ListFunctionsRequest(), headers).Functions.Select(static function => function.Kind).ShouldBe([FunctionKind.Dotnet, FunctionKind.Command], ignoreOrder: true);
    }

    [Theory]
    [InlineData(FunctionKind.Mpi, "mpi")]
    public void Kinds_that_come_later_are_unimplemented_by_name(FunctionKind kind, string name)
    {
        var running = shared.Running;
        var token = running.CreateToken($"user-{Guid.NewGuid():N}").Text;
        var problem = Should.Throw<RpcException>(() => running.Functions.Register(new RegisterFunctionRequest { Kind = kind }, RunningService.Bearer(token)));
        problem.StatusCode.ShouldBe(StatusCode.Unimplemented);
        problem.Status.Detail.ShouldContain($"'{name}'");
    }

    [Fact]
    public async Task Functions_and_endpoints_beyond_the_limit_are_refused_by_its_name()
    {
        await using var running = await RunningService.StartAsync(new ServiceLimits { FunctionsPerUser = 1, EndpointsPerUser = 1 });
        var headers = RunningService.Bearer(running.AdminToken);
        running.RegisterFunction(running.AdminToken);
        running.RegisterFunction(running.AdminToken, name: "other name of the same");
        Should.Throw<RpcException>(() => running.RegisterFunction(running.AdminToken, code: "double = abs")).Status.Detail.ShouldContain("functions_per_user");
        running.Endpoints.Register(new RegisterEndpointRequest { Name = "here" }, headers);
        running.Endpoints.Register(new RegisterEndpointRequest { Name = "here" }, headers);
        Should.Throw<RpcException>(() => running.Endpoints.Register(new RegisterEndpointRequest { Name = "there" }, headers)).Status.Detail.ShouldContain("endpoints_per_user");
    }

    [Fact]
    public void Registering_an_endpoint_again_keeps_its_id_and_ends_the_earlier_credential_at_once()
    {
        var running = shared.Running;
        var token = running.CreateToken($"user-{Guid.NewGuid():N}").Text;
        var headers = RunningService.Bearer(token);
        var first = running.Endpoints.Register(new RegisterEndpointRequest { Name = "here" }, headers);
        var authenticator = running.Get<Authenticator>();
        var caller = authenticator.Authenticate($"Bearer {first.Credential}", out _)!.Caller;
        caller.EndpointId.ShouldBe(first.EndpointId);
        var second = running.Endpoints.Register(new RegisterEndpointRequest { Name = "here", Description = "moved" }, headers);
        second.EndpointId.ShouldBe(first.EndpointId);
        second.Credential.ShouldNotBe(first.Credential);
        caller.Revoked.IsCancellationRequested.ShouldBeTrue();
        caller.RevokedMessage.ShouldContain("newer credential");
        authenticator.Authenticate($"Bearer {first.Credential}", out _).ShouldBeNull();
        authenticator.Authenticate($"Bearer {second.Credential}", out _).ShouldNotBeNull();
        running.Endpoints.Get(new GetEndpointRequest { Endpoint = "here" }, headers).Description.ShouldBe("moved");
    }

    [Fact]
    public void A_deleted_endpoint_ends_its_credential_frees_its_name_and_says_so()
    {
        var running = shared.Running;
        var token = running.CreateToken($"user-{Guid.NewGuid():N}").Text;
        var headers = RunningService.Bearer(token);
        var registered = running.Endpoints.Register(new RegisterEndpointRequest { Name = "here" }, headers);
        var caller = running.Get<Authenticator>().Authenticate($"Bearer {registered.Credential}", out _)!.Caller;
        var deleted = new List<EndpointRecord>();
        running.Get<EndpointCatalog>().Deleted += endpoint =>
        {
            deleted.Add(endpoint);
            return Task.CompletedTask;
        };
        running.Endpoints.Delete(new DeleteEndpointRequest { EndpointId = registered.EndpointId }, headers);
        deleted.ShouldHaveSingleItem().EndpointId.ShouldBe(registered.EndpointId);
        caller.Revoked.IsCancellationRequested.ShouldBeTrue();
        Should.Throw<RpcException>(() => running.Endpoints.Get(new GetEndpointRequest { Endpoint = "here" }, headers)).StatusCode.ShouldBe(StatusCode.NotFound);
        var again = running.Endpoints.Register(new RegisterEndpointRequest { Name = "here" }, headers);
        again.EndpointId.ShouldNotBe(registered.EndpointId);
        var reopened = new EndpointCatalog(running.Get<RegistryDatabase>(), TimeProvider.System);
        reopened.TryGetByNumber(deleted[0].Number, out var record).ShouldBeTrue();
        record.IsDeleted.ShouldBeTrue();
    }

    [Theory]
    [InlineData("")]
    [InlineData("a b")]
    [InlineData("caf\u00e9")]
    [InlineData("0123456789012345678901234567890123456789012345678901234567890123x")]
    public void An_endpoints_name_is_checked(string name)
    {
        var running = shared.Running;
        var token = running.CreateToken($"user-{Guid.NewGuid():N}").Text;
        Should.Throw<RpcException>(() => running.Endpoints.Register(new RegisterEndpointRequest { Name = name }, RunningService.Bearer(token)))
            .StatusCode.ShouldBe(StatusCode.InvalidArgument);
    }

    [Fact]
    public void Functions_that_do_not_fit_into_the_cache_are_read_again()
    {
        using var directory = new ScratchDirectory();
        var (database, owner) = NewRegistry(directory);
        var catalog = new FunctionCatalog(database, mostCachedBytes: 100_000);
        for (var i = 0; i < 50; i++)
        {
            var code = new byte[10_000];
            code[0] = (byte)i;
            catalog.TryRegister(new FunctionRecord(0, owner, $"{i:x64}", "python", $"f{i}", "f", code), 100, out _).ShouldBeTrue();
        }

        for (var i = 0; i < 50; i++)
        {
            catalog.TryGet(owner, $"{i:x64}", out var function).ShouldBeTrue();
            function.Code[0].ShouldBe((byte)i);
        }

        catalog.CachedBytes.ShouldBeLessThanOrEqualTo(100_000);
    }

    [Fact]
    public void Another_owner_does_not_find_a_function_in_the_catalog()
    {
        using var directory = new ScratchDirectory();
        var (database, owner) = NewRegistry(directory);
        var other = new TokenStore(database, TimeProvider.System).Create("bob", "", lifetime: null, TokenText.Create(TokenText.UserPrefix)).Owner;
        var catalog = new FunctionCatalog(database);
        catalog.TryRegister(new FunctionRecord(0, owner, new string('a', 64), "python", "f", "f", [1]), 10, out _).ShouldBeTrue();
        catalog.TryGet(other, new string('a', 64), out _).ShouldBeFalse();
        catalog.TryGet(owner, new string('a', 64), out _).ShouldBeTrue();
    }

    [Fact]
    public void A_schema_newer_than_this_build_is_refused_with_both_versions()
    {
        using var directory = new ScratchDirectory();
        var database = RegistryDatabase.Open(directory.Path);
        using (var connection = database.Connect())
        using (var command = connection.CreateCommand())
        {
            command.CommandText = "INSERT INTO SchemaVersions (ScriptName, Applied) VALUES ('FuncX.Service.Registry.Migrations.0099_future.sql', '2030-01-01')";
            command.ExecuteNonQuery();
        }

        var problem = Should.Throw<ServiceRefusedException>(() => RegistryDatabase.Open(directory.Path));
        problem.Message.ShouldContain("schema version 99");
        problem.Message.ShouldContain("up to 4");
    }

    [Fact]
    public void A_file_that_is_no_database_is_refused()
    {
        using var directory = new ScratchDirectory();
        File.WriteAllText(Path.Combine(directory.Path, "registry.db"), new string('x', 5_000));
        Should.Throw<ServiceRefusedException>(() => RegistryDatabase.Open(directory.Path)).Message.ShouldContain("registry.db");
    }

    [Fact]
    public void Commits_are_durable()
    {
        using var directory = new ScratchDirectory();
        RegistryDatabase.Open(directory.Path).ReadDurability().ShouldBe(("WAL", "FULL"));
    }

    [Theory]
    [InlineData("f", true)]
    [InlineData("_private2", true)]
    [InlineData("größe", true)]
    [InlineData("x²", false)]
    [InlineData("2x", false)]
    [InlineData("a-b", false)]
    [InlineData("None", false)]
    [InlineData("nonexistent", true)]
    public void Python_identifiers_are_known(string text, bool valid) => PythonIdentifier.IsValid(text).ShouldBe(valid);

    private static (RegistryDatabase Database, OwnerId Owner) NewRegistry(ScratchDirectory directory)
    {
        var database = RegistryDatabase.Open(directory.Path);
        return (database, new TokenStore(database, TimeProvider.System).Create("ann", "", lifetime: null, TokenText.Create(TokenText.UserPrefix)).Owner);
    }

    private static IReadOnlyList<FunctionInfo> List(RunningService running, string token) =>
        running.Functions.List(new ListFunctionsRequest(), RunningService.Bearer(token)).Functions;
}
