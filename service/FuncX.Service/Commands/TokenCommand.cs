using System.CommandLine;
using FuncX.Service.Auth;
using FuncX.Service.Hosting;
using FuncX.Service.Registry;

namespace FuncX.Service.Commands;

/// <summary><c>funcx-service token create|list|revoke</c>: on the data directory, whether the service runs or not.</summary>
internal static class TokenCommand
{
    private const int MostLabelCharacters = 128;

    public static Command Create()
    {
        var command = new Command("token", "Make, list and revoke the tokens of users. A running service notices at once.");
        command.Subcommands.Add(CreateToken());
        command.Subcommands.Add(ListTokens());
        command.Subcommands.Add(RevokeToken());
        return command;
    }

    private static Command CreateToken()
    {
        var dataDirectory = CommandEdge.DataDirectory("The service's data directory.");
        var user = new Option<string>("--user") { Description = "The user; made when there is none of that name.", HelpName = "NAME", Required = true };
        var label = new Option<string>("--name") { Description = "What the token is for, for 'token list'.", HelpName = "LABEL", DefaultValueFactory = _ => "" };
        var expires = new Option<string?>("--expires") { Description = "How long it is good: 12h, 90d. Default: until revoked.", HelpName = "DURATION" };
        var command = new Command("create", "Make a token and print it: its only copy.") { dataDirectory, user, label, expires };
        command.SetAction((parsed, _) => CommandEdge.RunAsync(() =>
        {
            var name = parsed.GetValue(user)!;
            CheckUser(name);
            var shown = parsed.GetValue(label)!;
            if (shown.Length > MostLabelCharacters || shown.Any(char.IsControl))
                throw new ServiceRefusedException($"--name has {shown.Length} characters; it must be at most {MostLabelCharacters} without control characters.");
            var text = TokenText.Create(TokenText.UserPrefix);
            var token = Open(parsed.GetValue(dataDirectory)!).Create(name, shown, Lifetime(parsed.GetValue(expires)), text);
            Console.Error.WriteLine($"token {token.Id} of user '{name}', {Until(token)}");
            Console.Out.WriteLine(text);
            return Task.CompletedTask;
        }));
        return command;
    }

    private static Command ListTokens()
    {
        var dataDirectory = CommandEdge.DataDirectory("The service's data directory.");
        var all = new Option<bool>("--all") { Description = "Also revoked and expired ones." };
        var command = new Command("list", "List tokens, never their text.") { dataDirectory, all };
        command.SetAction((parsed, _) => CommandEdge.RunAsync(() =>
        {
            var now = TimeProvider.System.UnixMicroseconds();
            Console.Out.WriteLine($"{"ID",-14} {"USER",-20} {"FOR",-28} {"CREATED",-21} {"LAST USED",-21} STATE");
            foreach (var token in Open(parsed.GetValue(dataDirectory)!).List())
            {
                var alive = token.RevokedAt is null && !(token.ExpiresAt <= now);
                if (!alive && !parsed.GetValue(all))
                    continue;
                var used = token.LastUsedAt is { } at ? UnixTime.Format(at) : "never";
                Console.Out.WriteLine($"{token.Id,-14} {token.UserName,-20} {token.Label,-28} {UnixTime.Format(token.CreatedAt),-21} {used,-21} {State(token, alive)}");
            }

            return Task.CompletedTask;
        }));
        return command;
    }

    private static Command RevokeToken()
    {
        var dataDirectory = CommandEdge.DataDirectory("The service's data directory.");
        var id = new Argument<string>("id") { Description = "The token's id, from 'token list'." };
        var command = new Command("revoke", "Revoke a token: its open streams end within a second.") { dataDirectory, id };
        command.SetAction((parsed, _) => CommandEdge.RunAsync(() =>
        {
            var asked = parsed.GetValue(id)!;
            var before = Open(parsed.GetValue(dataDirectory)!).Revoke(asked, "by the service's administrator")
                ?? throw new ServiceRefusedException($"there is no token '{asked}' in this data directory; 'funcx-service token list --all' shows all ids.");
            Console.Out.WriteLine(before.RevokedAt is { } at
                ? $"token {asked} of user '{before.UserName}' was revoked before, at {UnixTime.Format(at)}"
                : $"token {asked} of user '{before.UserName}' is revoked");
            return Task.CompletedTask;
        }));
        return command;
    }

    private static TokenStore Open(string dataDirectory)
    {
        if (!Directory.Exists(dataDirectory))
            throw new ServiceRefusedException($"there is no data directory {Path.GetFullPath(dataDirectory)}; start the service on it first.");
        DataDirectory.Prepare(dataDirectory);
        return new TokenStore(RegistryDatabase.Open(dataDirectory), TimeProvider.System);
    }

    private static void CheckUser(string name)
    {
        if (name.Length is 0 or > 64 || !name.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '.' or '_' or '-' or '@'))
            throw new ServiceRefusedException($"--user is '{name}'; it must be 1 to 64 of a-z A-Z 0-9 . _ - @.");
    }

    private static TimeSpan? Lifetime(string? text)
    {
        if (text is null)
            return null;
        if (FuncX.Configuration.Quantities.TryReadDuration(text, out var lifetime) && lifetime > TimeSpan.Zero && lifetime < TimeSpan.FromDays(36_500))
            return lifetime;
        throw new ServiceRefusedException($"--expires is '{text}'; it must be a duration: 15m, 12h, 90d.");
    }

    private static string Until(TokenRecord token) => token.ExpiresAt is { } at ? $"good until {UnixTime.Format(at)}" : "good until revoked";

    private static string State(TokenRecord token, bool alive) =>
        token.RevokedAt is { } at ? $"revoked {UnixTime.Format(at)}: {token.RevokedReason}" : alive ? Until(token) : $"expired {UnixTime.Format(token.ExpiresAt!.Value)}";
}
