using System.Text.Json;

namespace FuncX.Tests.Submitter;

/// <summary>What the submitter is told by the test that starts it.</summary>
/// <param name="Service">Address.</param>
/// <param name="TokenFile">File with the token.</param>
/// <param name="Function">Id of <c>work(directory, number, milliseconds)</c>.</param>
/// <param name="Endpoint">Id.</param>
/// <param name="Group">The group of all its tasks.</param>
/// <param name="TaskDirectory">First argument of every call.</param>
/// <param name="PerBatch">Calls of a batch.</param>
/// <param name="Window">Most tasks submitted and without outcome.</param>
/// <param name="Milliseconds">Longest duration of a task; number n lasts n modulo this.</param>
/// <param name="MaxAttempts">Of every task.</param>
public sealed record SubmitterSettings(
    string Service, string TokenFile, string Function, string Endpoint, string Group, string TaskDirectory, int PerBatch, int Window, int Milliseconds, uint MaxAttempts)
{
    public static SubmitterSettings Read(string path) =>
        JsonSerializer.Deserialize<SubmitterSettings>(File.ReadAllBytes(path)) ?? throw new InvalidDataException($"{path} holds no settings");

    public void Write(string path) => File.WriteAllBytes(path, JsonSerializer.SerializeToUtf8Bytes(this));
}
