namespace FuncX.Providers.Pbs;

/// <summary>Which of the descendants of PBS a site runs.</summary>
public enum PbsVariant
{
    /// <summary>OpenPBS and PBS Professional: <c>select</c>, job history, JSON where it is new enough.</summary>
    Openpbs,

    /// <summary>TORQUE: <c>nodes=N:ppn=C</c>, finished jobs are shown for a while without <c>-x</c>, no JSON.</summary>
    Torque,
}
