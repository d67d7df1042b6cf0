namespace FuncX.Endpoint.Doctor;

/// <summary>How a machine's Python fares.</summary>
/// <param name="Problem">Empty: it does what workers need.</param>
internal sealed record PythonAnswer(string Problem, string Cure)
{
    /// <summary>Empty: it did not say.</summary>
    public string Version { get; init; } = "";

    public string Path { get; init; } = "";
}
