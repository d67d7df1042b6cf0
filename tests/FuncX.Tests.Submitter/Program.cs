using FuncX.Tests.Submitter;

// funcx-submitter DIRECTORY: submits and collects as DIRECTORY/submitter.json says, until DIRECTORY/stop exists and every outcome has come.
// It may be killed at any moment and started again: what it did stands in its journal.
if (args is not [var directory])
{
    await Console.Error.WriteLineAsync("usage: funcx-submitter DIRECTORY");
    return 2;
}

var settings = SubmitterSettings.Read(Path.Combine(directory, "submitter.json"));
using var journal = Journal.Open(directory);
using var submitter = new Submitter(settings, journal, Path.Combine(directory, "stop"));
await submitter.RunAsync();
await File.WriteAllTextAsync(Path.Combine(directory, "done"), $"{journal.Outcomes}\n");
return 0;
