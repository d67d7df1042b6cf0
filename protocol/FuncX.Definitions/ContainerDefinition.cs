using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace FuncX.Definitions;

/// <summary>What a container is: the image for each runtime that can run it, and variables that are set inside. Checked, in one order, so that the same gives the same id. Pure.</summary>
public sealed class ContainerDefinition
{
    public const int MostReferenceCharacters = 1_024;
    public const int MostVariables = 64;
    public const int MostValueCharacters = 4_096;

    private const int MostVariableCharacters = 256;
    private const int MostEnvironmentCharacters = 65_536;

    // Where they find images, and what the text may not do: an option, a second path or a bind in it would be the runtime's to read.
    private static readonly string[] s_apptainerSchemes = ["library://", "docker://", "oras://"];
    private static readonly string[] s_shifterTypes = ["docker:", "id:"];

    // Where podman looks for an image when its name begins so, paths of the node among them (containers-transports(5)).
    private static readonly string[] s_transports = ["containers-storage", "dir", "docker-archive", "docker-daemon", "oci", "oci-archive", "ostree", "sif", "tarball"];

    private ContainerDefinition(SortedDictionary<string, string> images, SortedDictionary<string, string> environment) => (Images, Environment) = (images, environment);

    /// <summary>The runtimes that an image may be for, as in an endpoint's file.</summary>
    public static IReadOnlyList<string> Runtimes { get; } = ["apptainer", "shifter", "podman", "docker", "charliecloud", "bubblewrap"];

    /// <summary>The image by runtime.</summary>
    public IReadOnlyDictionary<string, string> Images { get; }

    public IReadOnlyDictionary<string, string> Environment { get; }

    /// <summary>64 lower-case hexadecimal digits: SHA-256 over how many images there are, runtime and image of each, how many variables, name and value of each. Numbers, and the length in bytes
    /// before each text, are u32 little endian.</summary>
    public string Id
    {
        get
        {
            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            Append(hash, Images);
            Append(hash, Environment);
            return Convert.ToHexStringLower(hash.GetHashAndReset());
        }
    }

    /// <exception cref="DefinitionException">What is wrong.</exception>
    public static ContainerDefinition Create(IEnumerable<KeyValuePair<string, string>> images, IEnumerable<KeyValuePair<string, string>> environment)
    {
        var checkedImages = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var (runtime, image) in images)
        {
            CheckImage(runtime, image);
            checkedImages[runtime] = image;
        }

        if (checkedImages.Count == 0)
            throw new DefinitionException($"there is no image; give one for each runtime that is to run it: {string.Join(", ", Runtimes)}");
        var variables = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var (name, value) in environment)
        {
            CheckVariable(name, value);
            variables[name] = value;
        }

        if (variables.Count > MostVariables)
            throw new DefinitionException($"environment has {variables.Count} variables; the most is {MostVariables}");
        var characters = variables.Sum(static variable => variable.Key.Length + variable.Value.Length);
        return characters <= MostEnvironmentCharacters
            ? new ContainerDefinition(checkedImages, variables)
            : throw new DefinitionException($"environment has {characters} characters in all; the most is {MostEnvironmentCharacters}");
    }

    private static void CheckImage(string runtime, string image)
    {
        if (!Runtimes.Contains(runtime, StringComparer.Ordinal))
            throw new DefinitionException($"images: '{runtime}' is no runtime; there are {string.Join(", ", Runtimes)}");
        if (image.Length is 0 or > MostReferenceCharacters)
            throw new DefinitionException($"images.{runtime} has {image.Length} characters; it must have 1 to {MostReferenceCharacters}");
        if (image.Any(static letter => char.IsControl(letter) || char.IsWhiteSpace(letter)))
            throw new DefinitionException($"images.{runtime} contains white space or a control character");
        var isRight = runtime switch
        {
            "apptainer" => IsPath(image) || IsNamed(image, s_apptainerSchemes),
            "shifter" => IsNamed(image, s_shifterTypes),
            "charliecloud" => IsPath(image) || IsPlainName(image),
            "bubblewrap" => IsPath(image),
            _ => IsPlainName(image),
        };
        if (!isRight)
            throw new DefinitionException($"images.{runtime} is '{image}'; it must be {Expected(runtime)}");
    }

    private static string Expected(string runtime) => runtime switch
    {
        "apptainer" => "an absolute path without empty parts, . and .., or begin with library://, docker:// or oras:// and a name",
        "shifter" => "docker:NAME:TAG or id:DIGITS",
        "charliecloud" => "an absolute path or the name of an image",
        "bubblewrap" => "the absolute path of an unpacked root, without empty parts, . and ..",
        _ => "the name of an image without a transport, as registry.example.org/lab/analysis:1.2 or with @sha256:DIGITS",
    };

    // ':' and ',' separate paths and options for some runtime or other.
    private static bool IsPath(string image) =>
        image[0] == '/' && !image.Contains(':', StringComparison.Ordinal) && !image.Contains(',', StringComparison.Ordinal)
        && !image.Split('/')[1..].Any(static part => part is "" or "." or "..");

    private static bool IsPlainName(string image) => IsName(image) && !(image.Split(':') is [var first, _, ..] && s_transports.Contains(first, StringComparer.Ordinal));

    private static bool IsNamed(string image, string[] beginnings) =>
        Array.Find(beginnings, beginning => image.StartsWith(beginning, StringComparison.Ordinal)) is { } known && IsName(image[known.Length..]);

    private static bool IsName(string image) =>
        image.Length > 0 && char.IsAsciiLetterOrDigit(image[0]) && image.All(static letter => char.IsAsciiLetterOrDigit(letter) || letter is '.' or '_' or '-' or '/' or ':' or '@')
        && !image.Contains(":/", StringComparison.Ordinal) && !image.Split('/').Any(static part => part is "" or "." or "..");

    private static void CheckVariable(string name, string value)
    {
        if (name.Length is 0 or > MostVariableCharacters || char.IsAsciiDigit(name[0]) || name.Any(static letter => !char.IsAsciiLetterOrDigit(letter) && letter != '_'))
            throw new DefinitionException($"environment: '{name}' is no name of a variable");
        if (name.StartsWith("FUNCX_", StringComparison.Ordinal))
            throw new DefinitionException($"environment: '{name}' belongs to FuncX");
        if (value.Length > MostValueCharacters)
            throw new DefinitionException($"environment.{name} has {value.Length} characters; the most is {MostValueCharacters}");
        if (value.Contains('\0', StringComparison.Ordinal))
            throw new DefinitionException($"environment.{name} contains a zero character");
    }

    private static void Append(IncrementalHash hash, IReadOnlyDictionary<string, string> pairs)
    {
        Append(hash, pairs.Count);
        foreach (var (name, value) in pairs)
        {
            Append(hash, name);
            Append(hash, value);
        }
    }

    private static void Append(IncrementalHash hash, string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        Append(hash, bytes.Length);
        hash.AppendData(bytes);
    }

    private static void Append(IncrementalHash hash, int number)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, number);
        hash.AppendData(bytes);
    }
}
