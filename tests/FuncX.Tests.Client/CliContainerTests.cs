using FuncX.Cli;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Client;

/// <summary><c>funcx container</c> and <c>--container</c>.</summary>
[Collection(nameof(CommandHarness))]
public sealed class CliContainerTests : CommandHarness
{
    [Fact]
    public async Task A_container_is_registered_with_its_images_shown_and_deleted()
    {
        var (_, id, _) = await ServiceAsync("container", "register", "ml", "--image", "apptainer=/images/ml.sif", "--image", "docker=lab/ml:1", "--env", "A=b=c", "--description", "for fits");
        var registered = Service.State.Containers.ShouldHaveSingleItem();
        id.TrimEnd().ShouldBe(registered.ContainerId);
        registered.Images.ShouldBe(new Dictionary<string, string> { ["apptainer"] = "/images/ml.sif", ["docker"] = "lab/ml:1" }, ignoreOrder: true);
        registered.Environment.ShouldBe(new Dictionary<string, string> { ["A"] = "b=c" });

        var (_, shown, _) = await ServiceAsync("container", "show", "ml");
        shown.Split('\n').ShouldBe(
        [
            $"container    {registered.ContainerId}", "name         ml", "description  for fits", "apptainer    /images/ml.sif", "docker       lab/ml:1", "environment  A=b=c",
            "registered   2023-11-14 22:13:20Z", "",
        ]);
        (await ServiceAsync("container", "list")).Output.ShouldContain(" apptainer, docker ");

        (await ServiceAsync("container", "delete", "ml")).Output.ShouldBe($"Deleted container ml ({registered.ContainerId}).\n");
        Service.State.Containers.ShouldBeEmpty();
        (await ServiceAsync("container", "show", "ml")).Code.ShouldBe(ExitCodes.NotFound);
    }

    [Fact]
    public async Task What_is_no_pair_is_refused_and_so_is_a_container_without_an_image()
    {
        (await ServiceAsync("container", "register", "ml", "--image", "/images/ml.sif")).Error.ShouldBe("funcx: --image is '/images/ml.sif'; write RUNTIME=IMAGE.\n");
        (await ServiceAsync("container", "register", "ml", "--image", "docker=a", "--env", "A")).Error.ShouldBe("funcx: --env is 'A'; write NAME=TEXT.\n");
        (await ServiceAsync("container", "register", "ml")).Code.ShouldBe(ExitCodes.Usage);
        Service.State.Containers.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_function_is_registered_with_the_container_that_it_runs_in()
    {
        Service.State.AddFunction("same");
        var file = Path.Combine(DirectoryPath, "work.py");
        await File.WriteAllTextAsync(file, "def fit(x):\n    return x\n");
        (await ServiceAsync("function", "register", $"{file}:fit", "--container", "ml")).Code.ShouldBe(0);
        (await ServiceAsync("function", "register-command", "count", "--container", "ml", "--", "wc")).Code.ShouldBe(0);
        Service.State.Functions.Where(static function => function.Name is "fit" or "count").Select(static function => function.ContainerId).ShouldBe(["id of ml", "id of ml"]);
        (await ServiceAsync("function", "show", "fit")).Output.ShouldContain("\ncontainer    id of ml\n");
        (await ServiceAsync("function", "show", "same")).Output.ShouldNotContain("\ncontainer ");
    }
}
