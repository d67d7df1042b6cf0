namespace FuncX.Providers.Batch;

/// <summary>A job of this user, as a list of them has it.</summary>
/// <param name="Name">Null when the list has no names.</param>
/// <param name="IsOver">It is listed and has ended.</param>
public sealed record JobListing(string Id, string? Name, bool IsOver = false);

/// <summary>The user's jobs; null when the scheduler could not be asked, and then why.</summary>
public sealed record ListAnswer(IReadOnlyList<JobListing>? Jobs, string Message = "");
