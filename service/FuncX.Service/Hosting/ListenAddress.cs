using System.Diagnostics.CodeAnalysis;
using System.Net;

namespace FuncX.Service.Hosting;

/// <summary>The text of <c>--listen</c> and <c>listen:</c>: ADDRESS:PORT, [IPV6]:PORT or localhost:PORT.</summary>
public static class ListenAddress
{
    public const string Shape = "ADDRESS:PORT with an IP address, for example 127.0.0.1:7400, 0.0.0.0:443, [::1]:0 or localhost:7400";

    public static bool TryParse(string text, [NotNullWhen(true)] out IPEndPoint? address)
    {
        const string Local = "localhost:";
        if (text.StartsWith(Local, StringComparison.OrdinalIgnoreCase))
            text = $"127.0.0.1:{text.AsSpan(Local.Length)}";
        // IPEndPoint takes "127.0.0.1" and "::1:80" as addresses without a port: here the port must stand.
        var colon = text.LastIndexOf(':');
        address = null;
        return colon > 0
            && (text[0] == '[') == (text[colon - 1] == ']')
            && (text[0] == '[' || text.IndexOf(':') == colon)
            && int.TryParse(text.AsSpan(colon + 1), System.Globalization.NumberStyles.None, provider: null, out var port) && port <= IPEndPoint.MaxPort
            && IPEndPoint.TryParse(text, out address);
    }
}
