namespace FuncX.Service.Auth;

/// <summary>Makes the administrator's token when a data directory is used for the first time.</summary>
public sealed class FirstStart(TokenStore tokens)
{
    public const string Administrator = "admin";

    private const string Label = "first start";

    /// <summary>Writes <c>admin.token</c> (mode 0600) unless such a token was ever made here.</summary>
    /// <returns>The file's path when it was written.</returns>
    public string? EnsureAdministrator(string dataDirectory)
    {
        if (tokens.Exists(Administrator, Label))
            return null;
        var text = TokenText.Create(TokenText.UserPrefix);
        var path = Path.Combine(dataDirectory, "admin.token");
        // The file before the row: a crash in between leaves a file that the next start replaces, never a token that nobody has.
        Hosting.PrivateFile.Write(path, text + "\n");
        tokens.Create(Administrator, Label, lifetime: null, text);
        return path;
    }
}
