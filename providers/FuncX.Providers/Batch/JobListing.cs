namespace FuncX.Providers.Batch;

/// <summary>A job of this user, as a list of them has it.</summary>
/// <param name="Name">Null when the list has no names.</param>
public sealed record JobListing(string Id, string? Name);

/// <summary>The user's jobs; null when the scheduler could not be asked, and then why.</summary>
public sealed record ListAnswer(IReadOnlyList<JobListing>? Jobs, string Message = "");
