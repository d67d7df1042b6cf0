using System.Net.Security;

namespace FuncX.Manager.Link;

/// <summary>Who dials the endpoint, and what becomes of a connection that has proven itself.</summary>
internal interface ILinkUser
{
    /// <summary>As the hello says it: <c>manager</c>, <c>leader</c> or <c>agent</c>.</summary>
    string Role { get; }

    string Node { get; }

    /// <summary>Says hello, calls <paramref name="welcomed"/> when it was answered well, and uses the connection until it ends.</summary>
    /// <exception cref="LinkRefusedException">The endpoint does not want this one.</exception>
    Task ServeAsync(SslStream stream, Hello hello, Action welcomed);

    /// <summary>Something went wrong that the dialler will try again.</summary>
    void Report(string problem);

    /// <summary>The dialler gives up.</summary>
    void End(int code, string reason);
}
