using FuncX.Definitions;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit;

public sealed class ContainerDefinitionTests
{
    private static readonly Dictionary<string, string> s_image = new() { ["docker"] = "lab/image:1" };

    [Theory]
    [InlineData("apptainer", "/images/ml.sif")]
    [InlineData("apptainer", "/images/with-dots..and_more/ml.v1.sif")]
    [InlineData("apptainer", "docker://python:3.11-slim")]
    [InlineData("apptainer", "oras://registry.example.org/lab/ml:1")]
    [InlineData("apptainer", "library://lab/collection/ml:latest")]
    [InlineData("shifter", "docker:python:3.11")]
    [InlineData("shifter", "docker:registry.example.org/lab/ml:1")]
    [InlineData("shifter", "id:0123abcd")]
    [InlineData("podman", "registry.example.org:5000/lab/ml@sha256:0123abcd")]
    [InlineData("docker", "python")]
    [InlineData("charliecloud", "python:3.11")]
    [InlineData("charliecloud", "/images/ml")]
    [InlineData("bubblewrap", "/images/root")]
    public void An_image_in_its_runtimes_form_is_taken_as_it_is(string runtime, string image) =>
        ContainerDefinition.Create([new(runtime, image)], []).Images.ShouldBe(new Dictionary<string, string> { [runtime] = image });

    [Theory]
    [InlineData("apptainer", "")]
    [InlineData("apptainer", "/")]
    [InlineData("apptainer", "ml.sif")]
    [InlineData("apptainer", "--bind=/etc:/mnt")]
    [InlineData("apptainer", "/images/../../etc")]
    [InlineData("apptainer", "/images/ml.sif --bind /etc")]
    [InlineData("apptainer", "/images/ml.sif,/etc")]
    [InlineData("apptainer", "/images/ml.sif\n")]
    [InlineData("apptainer", "docker://")]
    [InlineData("apptainer", "docker://-v")]
    [InlineData("apptainer", "docker://lab/../ml")]
    [InlineData("apptainer", "file:///etc/passwd")]
    [InlineData("shifter", "python:3.11")]
    [InlineData("shifter", "docker:--volume=/etc:/mnt")]
    [InlineData("podman", "-v")]
    [InlineData("podman", "/images/ml")]
    [InlineData("podman", "lab//ml")]
    [InlineData("docker", "lab/ml$(id)")]
    [InlineData("charliecloud", "--set-env=A=b")]
    [InlineData("bubblewrap", "root")]
    [InlineData("bubblewrap", "/root:/etc")]
    [InlineData("bubblewrap", "//")]
    [InlineData("bubblewrap", "/.")]
    [InlineData("bubblewrap", "/images/./root")]
    [InlineData("apptainer", "/images//ml.sif")]
    [InlineData("podman", "dir:/etc")]
    [InlineData("podman", "oci:layout")]
    [InlineData("podman", "docker-archive:/images/ml.tar")]
    [InlineData("docker", "sif:ml")]
    [InlineData("charliecloud", "tarball:x")]
    [InlineData("chroot", "/root")]
    public void What_is_no_image_is_refused_with_the_runtime_that_it_was_for(string runtime, string image) =>
        Should.Throw<DefinitionException>(() => ContainerDefinition.Create([new(runtime, image)], [])).Message.ShouldContain(runtime);

    [Theory]
    [InlineData("1A", "x", "'1A' is no name of a variable")]
    [InlineData("A=B", "x", "'A=B' is no name of a variable")]
    [InlineData("", "x", "'' is no name of a variable")]
    [InlineData("FUNCX_TOKEN", "x", "'FUNCX_TOKEN' belongs to FuncX")]
    [InlineData("A", "a\0b", "environment.A contains a zero character")]
    public void What_is_no_variable_is_refused(string name, string value, string words) =>
        Should.Throw<DefinitionException>(() => ContainerDefinition.Create(s_image, [new(name, value)])).Message.ShouldContain(words);

    [Fact]
    public void Sizes_have_bounds()
    {
        Refused([new("docker", new string('a', 1_025))], []).ShouldContain("images.docker has 1025 characters; it must have 1 to 1024");
        Refused(s_image, [new("A", new string('a', 4_097))]).ShouldContain("environment.A has 4097 characters; the most is 4096");
        Refused(s_image, Enumerable.Range(0, 65).Select(static number => new KeyValuePair<string, string>($"A{number}", ""))).ShouldContain("has 65 variables; the most is 64");
        Refused(s_image, Enumerable.Range(0, 20).Select(static number => new KeyValuePair<string, string>($"A{number}", new string('a', 4_000)))).ShouldContain("characters in all; the most is 65536");
        Refused([], []).ShouldContain("there is no image; give one for each runtime that is to run it: apptainer, shifter");

        static string Refused(IEnumerable<KeyValuePair<string, string>> images, IEnumerable<KeyValuePair<string, string>> environment) =>
            Should.Throw<DefinitionException>(() => ContainerDefinition.Create(images, environment)).Message;
    }

    [Fact]
    public void The_id_follows_from_images_and_environment_in_any_order_and_from_each_part_of_them()
    {
        var one = ContainerDefinition.Create([new("docker", "a"), new("podman", "b")], [new("X", "1"), new("Y", "2")]);
        one.Id.Length.ShouldBe(64);
        ContainerDefinition.Create([new("podman", "b"), new("docker", "a")], [new("Y", "2"), new("X", "1")]).Id.ShouldBe(one.Id);
        string[] others =
        [
            ContainerDefinition.Create([new("docker", "a"), new("podman", "c")], [new("X", "1"), new("Y", "2")]).Id,
            ContainerDefinition.Create([new("docker", "a")], [new("X", "1"), new("Y", "2")]).Id,
            ContainerDefinition.Create([new("docker", "a"), new("podman", "b")], [new("X", "1"), new("Y", "3")]).Id,
            ContainerDefinition.Create([new("docker", "a"), new("podman", "b")], [new("X", "1Y2")]).Id,
            ContainerDefinition.Create([new("docker", "a"), new("podman", "b")], []).Id,
        ];
        others.Append(one.Id).Distinct().Count().ShouldBe(others.Length + 1);
    }
}
