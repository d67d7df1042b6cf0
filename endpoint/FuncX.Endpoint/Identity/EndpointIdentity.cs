namespace FuncX.Endpoint.Identity;

/// <summary>Who this endpoint is at its service.</summary>
public sealed class EndpointIdentity
{
    public required string EndpointId { get; init; }

    /// <summary>The endpoint's own token, good for its link only. Never logged.</summary>
    public required string Credential { get; init; }

    public required string ServiceAddress { get; init; }

    /// <summary>Names this endpoint at this service, as a file's name: what one identity left in the state directory is not another's.</summary>
    public string Key => new([.. $"{EndpointId}@{ServiceAddress.Replace("://", "-", StringComparison.Ordinal)}".Select(letter => IsPlain(letter) ? letter : '_')]);

    /// <summary>New for each process: tells two processes of one endpoint apart.</summary>
    public required string Instance { get; init; }

    private static bool IsPlain(char letter) => char.IsAsciiLetterOrDigit(letter) || letter is '-' or '.' or '@';
}
