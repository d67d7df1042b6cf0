using System.CommandLine;
using FuncX.Contracts;
using Spectre.Console;

namespace FuncX.Cli.Commands;

/// <summary><c>funcx login</c>: proves a token and stores it for this user, mode 0600.</summary>
internal static class LoginCommand
{
    public static Command Create(CommandLine commands)
    {
        var address = new Argument<string?>("address")
        {
            Description = "Address of the service, as https://funcx.example.org; asked for when left out.",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var command = new Command("login", "Store the token for a service, read from --token-file, standard input or a hidden prompt.") { address };
        commands.On(command, (invocation, cancellation) => LoginAsync(invocation, invocation.Parsed.GetValue(address), cancellation));
        return command;
    }

    private static async Task<int> LoginAsync(Invocation invocation, string? address, CancellationToken cancellation)
    {
        var terminal = invocation.Terminal;
        var service = Invocation.NormalAddress(address ?? invocation.Service ?? await AskAddressAsync(terminal, cancellation));
        var token = invocation.TokenFile is { } file ? Invocation.ReadToken(file) : await AskTokenAsync(terminal, service, cancellation);

        await using (var client = Invocation.Connect(service, token))
            await client.Functions.ListAsync(limit: 1, cancellation);

        var path = CredentialsFile.DefaultPath;
        var known = CredentialsFile.Read(path);
        (known with { Current = service, Tokens = new Dictionary<string, string>(known.Tokens, StringComparer.Ordinal) { [service] = token } }).Write(path);
        if (invocation.IsJson)
            invocation.WriteJson(new { Service = service, Credentials = path });
        else
            await terminal.Output.WriteLineAsync($"Logged in to {service}; the token is in {path}.");
        return ExitCodes.Ok;
    }

    private static async Task<string> AskAddressAsync(Terminal terminal, CancellationToken cancellation)
    {
        if (terminal.InputIsRedirected || !terminal.IsInteractive)
            throw new UsageException("The address of the service is missing. Run: funcx login ADDRESS");
        return await new TextPrompt<string>("Address of the service:").ShowAsync(terminal.Progress, cancellation);
    }

    private static async Task<string> AskTokenAsync(Terminal terminal, string service, CancellationToken cancellation)
    {
        if (!terminal.InputIsRedirected && terminal.IsInteractive)
            return await new TextPrompt<string>($"Token for {Markup.Escape(service)}:").Secret(mask: null).ShowAsync(terminal.Progress, cancellation);
        var token = (await Terminal.ReadLineAsync(terminal.Input, cancellation))?.Trim();
        return string.IsNullOrEmpty(token)
            ? throw new UsageException("No token came on standard input; pipe one in, or pass --token-file FILE.")
            : Invocation.Token(token, "Standard input");
    }
}
