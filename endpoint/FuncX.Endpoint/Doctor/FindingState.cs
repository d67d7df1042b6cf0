namespace FuncX.Endpoint.Doctor;

/// <summary>What became of a check.</summary>
internal enum FindingState
{
    Ok,

    /// <summary>Not looked at: it does not concern this file, or it was not asked for.</summary>
    Skipped,

    /// <summary>It works, and not as well as it could, or not for long.</summary>
    Warning,

    /// <summary>The endpoint, its blocks or its tasks do not work like this.</summary>
    Problem,
}
