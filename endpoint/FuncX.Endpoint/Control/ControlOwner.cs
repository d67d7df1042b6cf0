using System.Globalization;
using System.Text.RegularExpressions;

namespace FuncX.Endpoint.Control;

/// <summary>
/// The process that a control socket belongs to, told by the socket's name. A state directory may lie on a file system that several machines share, and
/// a socket in it is reached on the machine of its process only.
/// </summary>
public readonly partial record struct ControlOwner(string Host, int Pid)
{
    /// <summary>This process.</summary>
    public static ControlOwner Self => new(Environment.MachineName, Environment.ProcessId);

    public string SocketName => string.Create(CultureInfo.InvariantCulture, $"control-{Pid}.{Host}.sock");

    public bool IsOnThisMachine => Host == Environment.MachineName;

    /// <summary>Whose socket that is; null for another file.</summary>
    public static ControlOwner? Of(string socketName) =>
        Name().Match(socketName) is { Success: true } match && int.TryParse(match.Groups[1].ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture, out var pid)
            ? new ControlOwner(match.Groups[2].Value, pid)
            : null;

    [GeneratedRegex(@"\Acontrol-([0-9]+)\.([^/]*)\.sock\z", RegexOptions.CultureInvariant)]
    private static partial Regex Name();
}
