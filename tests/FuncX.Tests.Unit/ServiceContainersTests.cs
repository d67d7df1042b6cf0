using FuncX.Contracts.V1;
using FuncX.Service.Registry;
using Google.Protobuf;
using Grpc.Core;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit.ServiceFront;

public sealed class ServiceContainersTests(SharedService shared) : IClassFixture<SharedService>
{
    private readonly Metadata _ann = RunningService.Bearer(shared.Running.CreateToken($"user-{Guid.NewGuid():N}").Text);

    private Containers.ContainersClient Containers => shared.Running.Containers;

    private Functions.FunctionsClient Functions => shared.Running.Functions;

    [Fact]
    public void Registering_the_same_container_twice_gives_the_same_id_and_one_container_with_its_newest_name()
    {
        var first = Containers.Register(Request("ml", "/images/ml.sif"), _ann);
        (first.Name, first.Images["apptainer"], first.Environment["A"]).ShouldBe(("ml", "/images/ml.sif", "b"));
        Containers.Register(Request("ml", "/images/ml.sif"), _ann).ShouldBe(first);
        var renamed = Containers.Register(Request("fits", "/images/ml.sif"), _ann);
        renamed.ContainerId.ShouldBe(first.ContainerId);
        Containers.List(new ListContainersRequest(), _ann).Containers.ShouldHaveSingleItem().ShouldBe(renamed);
    }

    [Fact]
    public void A_container_is_found_by_id_by_the_beginning_of_its_id_and_by_its_newest_name()
    {
        var older = Containers.Register(Request("ml", "/images/ml-1.sif"), _ann);
        var newer = Containers.Register(Request("ml", "/images/ml-2.sif"), _ann);
        foreach (var asked in (string[])[newer.ContainerId, newer.ContainerId.ToUpperInvariant(), newer.ContainerId[..8], "ml"])
            Containers.Get(new GetContainerRequest { Container = asked }, _ann).ShouldBe(newer);
        Containers.Get(new GetContainerRequest { Container = older.ContainerId }, _ann).ShouldBe(older);
        Containers.List(new ListContainersRequest { Limit = 1 }, _ann).Containers.ShouldHaveSingleItem().ShouldBe(newer);
        Refused(() => Containers.Get(new GetContainerRequest { Container = newer.ContainerId[..7] }, _ann)).StatusCode.ShouldBe(StatusCode.NotFound);
        Refused(() => Containers.Get(new GetContainerRequest(), _ann)).Detail.ShouldContain("container is empty");
        Refused(() => Containers.List(new ListContainersRequest { Limit = 1_001 }, _ann)).Detail.ShouldContain("limit is 1001");
    }

    [Fact]
    public void A_function_is_another_in_a_container_and_stays_with_it_whatever_becomes_of_the_name()
    {
        var plain = Functions.Register(Function(""), _ann);
        var container = Containers.Register(Request("ml", "/images/ml-1.sif"), _ann);
        var inside = Functions.Register(Function("ml"), _ann);
        (inside.ContainerId, plain.ContainerId).ShouldBe((container.ContainerId, ""));
        inside.FunctionId.ShouldNotBe(plain.FunctionId);
        Functions.Register(Function(container.ContainerId[..8]), _ann).FunctionId.ShouldBe(inside.FunctionId);

        var newer = Containers.Register(Request("ml", "/images/ml-2.sif"), _ann);
        Functions.Get(new GetFunctionRequest { Function = inside.FunctionId }, _ann).ContainerId.ShouldBe(container.ContainerId);
        Functions.Register(Function("ml"), _ann).ContainerId.ShouldBe(newer.ContainerId);
        Functions.List(new ListFunctionsRequest(), _ann).Functions.Select(static function => function.ContainerId)
            .ShouldBe([newer.ContainerId, container.ContainerId, ""], ignoreOrder: true);
        var refused = Refused(() => Functions.Register(Function("mll"), _ann));
        (refused.StatusCode, refused.Detail).ShouldBe((StatusCode.NotFound, "you have no container 'mll'. List yours, or register it."));
    }

    [Fact]
    public void A_deleted_container_is_unknown_but_for_the_functions_that_name_it_and_comes_back_when_it_is_registered_again()
    {
        var container = Containers.Register(Request("ml", "/images/ml.sif"), _ann);
        var function = Functions.Register(Function("ml"), _ann);
        Containers.Delete(new DeleteContainerRequest { ContainerId = container.ContainerId }, _ann);
        Refused(() => Containers.Get(new GetContainerRequest { Container = "ml" }, _ann)).StatusCode.ShouldBe(StatusCode.NotFound);
        Refused(() => Functions.Register(Function("ml"), _ann)).StatusCode.ShouldBe(StatusCode.NotFound);
        Refused(() => Containers.Delete(new DeleteContainerRequest { ContainerId = container.ContainerId }, _ann)).StatusCode.ShouldBe(StatusCode.NotFound);
        Containers.List(new ListContainersRequest(), _ann).Containers.ShouldBeEmpty();
        var owner = shared.Running.Get<Service.Auth.Authenticator>().Authenticate(_ann.GetValue("authorization"), out _)!.Caller.Owner;
        shared.Running.Get<FunctionCatalog>().TryGet(owner, function.FunctionId, out var known).ShouldBeTrue();
        shared.Running.Get<ContainerCatalog>().OfFunction(known)!.Definition.Images["apptainer"].ShouldBe("/images/ml.sif");
        Containers.Register(Request("ml", "/images/ml.sif"), _ann).ContainerId.ShouldBe(container.ContainerId);
        Functions.Register(Function("ml"), _ann).FunctionId.ShouldBe(function.FunctionId);
    }

    [Fact]
    public void Anothers_container_answers_word_for_word_like_one_that_does_not_exist()
    {
        var bob = RunningService.Bearer(shared.Running.CreateToken($"user-{Guid.NewGuid():N}").Text);
        var theirs = Containers.Register(Request("ml", "/images/ml.sif"), _ann).ContainerId;
        var none = new string('5', 64);
        Func<string, object>[] calls =
        [
            id => Containers.Get(new GetContainerRequest { Container = id }, bob),
            id => Containers.Delete(new DeleteContainerRequest { ContainerId = id }, bob),
            id => Functions.Register(Function(id), bob),
        ];
        foreach (var call in calls)
            Answer(call, theirs).ShouldBe(Answer(call, none));
        Answer(calls[0], "ml").ShouldBe(Answer(calls[0], "nl"));
        Containers.List(new ListContainersRequest(), bob).Containers.ShouldBeEmpty();

        static (StatusCode, string) Answer(Func<string, object> call, string id)
        {
            var refused = Refused(() => call(id));
            return (refused.StatusCode, refused.Detail.Replace(id, "ID", StringComparison.Ordinal));
        }
    }

    [Fact]
    public void What_can_never_be_a_container_is_refused_by_what_is_wrong()
    {
        var request = Request("ml", "ml.sif");
        var refused = Refused(() => Containers.Register(request, _ann));
        refused.StatusCode.ShouldBe(StatusCode.InvalidArgument);
        refused.Detail.ShouldBe("container 'ml': images.apptainer is 'ml.sif'; it must be an absolute path without empty parts, . and .., or begin with library://, docker:// or oras:// and a name.");
        Refused(() => Containers.Register(Request("", "/ml.sif"), _ann)).Detail.ShouldContain("name has 0 characters");
        request = Request("ml", "/ml.sif");
        request.Description = new string('a', 4_097);
        Refused(() => Containers.Register(request, _ann)).Detail.ShouldContain("description has 4097 characters");
    }

    private static Status Refused(Func<object> call) => Should.Throw<RpcException>(() => call()).Status;

    private static RegisterContainerRequest Request(string name, string image) => new() { Name = name, Images = { ["apptainer"] = image }, Environment = { ["A"] = "b" } };

    private static RegisterFunctionRequest Function(string container) =>
        new() { Kind = FunctionKind.Python, Name = "f", Entry = "f", Code = ByteString.CopyFromUtf8("def f(): pass"), Container = container };
}
