using System.Buffers.Binary;
using System.IO.Compression;
using FuncX.Definitions;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit;

public sealed class PackageReaderTests : IDisposable
{
    private static readonly DotnetEntry s_entry = DotnetEntry.Parse("Lab::Some.Type::Run");

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory();

    [Fact]
    public void A_package_is_unpacked_with_its_folders()
    {
        var code = Zip(("Lab.dll", "one"), ("runtimes/linux-x64/native/libx.so", "two"));
        PackageReader.Check(code, s_entry);
        PackageReader.Unpack(code, s_entry, Path.Combine(_directory.FullName, "p"));
        File.ReadAllText(Path.Combine(_directory.FullName, "p", "Lab.dll")).ShouldBe("one");
        File.ReadAllText(Path.Combine(_directory.FullName, "p", "runtimes/linux-x64/native/libx.so")).ShouldBe("two");
    }

    [Theory]
    [InlineData("../outside.dll", "not below its directory")]
    [InlineData("a/../../outside.dll", "not below its directory")]
    [InlineData("/etc/outside", "not below its directory")]
    [InlineData("a\\b", "not below its directory")]
    public void A_file_outside_of_the_package_is_refused_and_not_written(string path, string reason)
    {
        var code = Zip(("Lab.dll", "one"), (path, "two"));
        Should.Throw<DefinitionException>(() => PackageReader.Check(code, s_entry)).Message.ShouldContain(reason);
        Should.Throw<DefinitionException>(() => PackageReader.Unpack(code, s_entry, Path.Combine(_directory.FullName, "p"))).Message.ShouldContain(reason);
        _directory.EnumerateFiles("*", SearchOption.AllDirectories).ShouldBeEmpty();
    }

    [Theory]
    [InlineData("a", "a/b")]
    [InlineData("a/b", "a")]
    [InlineData("a", "a/")]
    public void A_path_that_is_both_a_file_and_a_directory_is_refused(string one, string other)
    {
        var code = Zip(("Lab.dll", "one"), (one, "two"), (other, ""));
        Should.Throw<DefinitionException>(() => PackageReader.Check(code, s_entry)).Message.ShouldContain("as a file and as a directory");
        Should.Throw<DefinitionException>(() => PackageReader.Unpack(code, s_entry, Path.Combine(_directory.FullName, "p")));
    }

    [Theory]
    [InlineData(256, 1)]
    [InlineData(200, 6)]
    public void A_path_that_no_file_system_takes_is_refused(int letters, int parts)
    {
        var code = Zip(("Lab.dll", "one"), (string.Join('/', Enumerable.Repeat(new string('a', letters), parts)), "two"));
        Should.Throw<DefinitionException>(() => PackageReader.Check(code, s_entry)).Message.ShouldContain("has a path of more than");
    }

    [Fact]
    public void A_link_is_refused()
    {
        var code = Zip(("Lab.dll", "one"));
        using var bytes = new MemoryStream();
        bytes.Write(code);
        using (var archive = new ZipArchive(bytes, ZipArchiveMode.Update, leaveOpen: true))
        {
            var link = archive.CreateEntry("link");
            link.ExternalAttributes = unchecked((int)0xA1FF0000);
            using var writer = new StreamWriter(link.Open());
            writer.Write("/etc/passwd");
        }

        Should.Throw<DefinitionException>(() => PackageReader.Check(bytes.ToArray(), s_entry)).Message.ShouldContain("links and devices are not taken");
    }

    [Fact]
    public void More_bytes_than_the_cap_are_refused_also_when_the_archive_claims_fewer()
    {
        var code = Bomb(PackageReader.MostBytes + 1);
        Should.Throw<DefinitionException>(() => PackageReader.Check(code, s_entry)).Message.ShouldContain("more than");

        // The size stands in the file's own header and in the archive's directory, which nobody compares with the data before it is read.
        var lying = (byte[])code.Clone();
        for (var at = lying.AsSpan().IndexOf("PK\u0001\u0002"u8); at >= 0;)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(lying.AsSpan(at + 24), 1_000);
            var next = lying.AsSpan(at + 4).IndexOf("PK\u0001\u0002"u8);
            at = next < 0 ? -1 : at + 4 + next;
        }

        PackageReader.Unpack(lying, s_entry, Path.Combine(_directory.FullName, "p"));
        _directory.EnumerateFiles("*", SearchOption.AllDirectories).Sum(static file => file.Length).ShouldBeLessThanOrEqualTo(2_000, "it is read no further than it claims");
    }

    [Fact]
    public void Too_many_files_and_a_package_without_the_entrys_assembly_are_refused()
    {
        var many = Zip([.. Enumerable.Range(0, PackageReader.MostFiles + 1).Select(static i => ($"{i}.txt", ""))]);
        Should.Throw<DefinitionException>(() => PackageReader.Check(many, s_entry)).Message.ShouldContain("the most is");
        Should.Throw<DefinitionException>(() => PackageReader.Check(Zip(("Other.dll", "")), s_entry)).Message.ShouldContain("Lab.dll");
        Should.Throw<DefinitionException>(() => PackageReader.Check("no archive"u8.ToArray(), s_entry)).Message.ShouldContain("neither an assembly nor a zip archive");
    }

    [Theory]
    [InlineData("Type.Method")]
    [InlineData("A::B")]
    [InlineData("A::::C")]
    [InlineData("../A::B::C")]
    [InlineData("A::B, Other::C")]
    public void An_entry_that_names_no_method_is_refused(string entry) =>
        Should.Throw<DefinitionException>(() => DotnetEntry.Parse(entry)).Message.ShouldContain("Assembly::Namespace.Type::Method");

    public void Dispose() => _directory.Delete(recursive: true);

    private static byte[] Zip(params (string Path, string Text)[] files)
    {
        using var bytes = new MemoryStream();
        using (var archive = new ZipArchive(bytes, ZipArchiveMode.Create, leaveOpen: true))
        {
            foreach (var (path, text) in files)
            {
                using var writer = new StreamWriter(archive.CreateEntry(path).Open());
                writer.Write(text);
            }
        }

        return bytes.ToArray();
    }

    private static byte[] Bomb(long length)
    {
        using var bytes = new MemoryStream();
        using (var archive = new ZipArchive(bytes, ZipArchiveMode.Create, leaveOpen: true))
        {
            archive.CreateEntry("Lab.dll");
            using var output = archive.CreateEntry("zeros", CompressionLevel.Fastest).Open();
            var block = new byte[1 << 20];
            for (var left = length; left > 0; left -= block.Length)
                output.Write(block, 0, (int)Math.Min(left, block.Length));
        }

        return bytes.ToArray();
    }
}
