namespace FuncX.Endpoint.Doctor;

/// <summary>Looks at one thing that stands between a machine's file and an endpoint that works. It changes nothing that stays.</summary>
internal interface IDoctorCheck
{
    /// <summary>What is looked at, one word: the check of its findings.</summary>
    string Name { get; }

    /// <summary>After which it is given up: a file system that hangs answers nobody.</summary>
    TimeSpan Limit => TimeSpan.FromMinutes(4);

    /// <summary>All that was seen; one finding at least.</summary>
    Task<IReadOnlyList<Finding>> ExamineAsync(CancellationToken cancellation);
}
