using System.CommandLine;
using System.Text.Json;
using FuncX.Client;
using FuncX.Contracts;

namespace FuncX.Cli;

/// <summary>One run of a command: its options, where it writes, and the service it speaks to.</summary>
internal sealed class Invocation
{
    private static readonly JsonSerializerOptions JsonStyle = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    private readonly GlobalOptions _globals;

    public Invocation(ParseResult parsed, GlobalOptions globals, Terminal terminal)
    {
        Parsed = parsed;
        _globals = globals;
        Terminal = terminal;
        IsJson = parsed.GetValue(globals.Json);
    }

    public ParseResult Parsed { get; }

    public Terminal Terminal { get; }

    /// <summary>Standard output is for a program: JSON and nothing else.</summary>
    public bool IsJson { get; }

    public string? Service => Parsed.GetValue(_globals.Service);

    public string? TokenFile => Parsed.GetValue(_globals.TokenFile);

    /// <summary>A client by <c>--service</c> and <c>--token-file</c>, else by what <c>funcx login</c> stored.</summary>
    /// <param name="group">Group of single calls; null: a new one.</param>
    public FuncXClient Connect(string? group = null)
    {
        var credentials = CredentialsFile.Read(CredentialsFile.DefaultPath);
        var address = Service is { } named ? NormalAddress(named) : credentials.Current
            ?? throw new FuncXException(FuncXErrorKind.NotAuthorised, "You are not logged in. Run: funcx login ADDRESS (or pass --service and --token-file)");
        string? token;
        if (TokenFile is { } file)
            token = ReadToken(file);
        else if (!credentials.Tokens.TryGetValue(address, out token))
            throw new FuncXException(FuncXErrorKind.NotAuthorised, $"You are not logged in to {address}. Run: funcx login {address} (or pass --token-file)");
        return Connect(address, token, group);
    }

    public static FuncXClient Connect(string address, string token, string? group = null) =>
        new(new Uri(address), token, new FuncXClientOptions { ConnectTimeout = TimeSpan.FromSeconds(2), RetryFor = TimeSpan.FromMinutes(2), Group = group });

    public static string NormalAddress(string address)
    {
        if (!Uri.TryCreate(address, UriKind.Absolute, out var uri) || (uri.Scheme != Uri.UriSchemeHttp && uri.Scheme != Uri.UriSchemeHttps))
            throw new UsageException($"'{address}' is not the address of a service; write https://HOST[:PORT], or http://127.0.0.1:PORT for one on this machine.");
        return uri.GetLeftPart(UriPartial.Authority);
    }

    public static string ReadToken(string file) => Token(File.ReadAllText(file), file);

    /// <summary>The token in what a file or standard input held; what no request's header could carry is refused here, where its source has a name.</summary>
    public static string Token(string text, string source)
    {
        var token = text.Trim();
        return token.Length > 0 && token.All(static character => char.IsBetween(character, '!', '~'))
            ? token
            : throw new UsageException($"{source} does not hold a token; expected one line of text");
    }

    /// <summary>One document on standard output.</summary>
    public void WriteJson(object document) => Terminal.Output.WriteLine(JsonSerializer.Serialize(document, JsonStyle));
}
