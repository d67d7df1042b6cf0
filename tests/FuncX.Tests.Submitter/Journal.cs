using System.Globalization;
using System.Text;
using FuncX.Cluster;
using FuncX.Contracts.V1;
using FuncX.Wire;

namespace FuncX.Tests.Submitter;

/// <summary>
/// What the submitter did, in two files that only grow, a line at a time with one write each, so that a kill loses at most a torn last line:
/// <c>submissions</c> has <c>plan BATCH FIRST COUNT</c> before a batch is sent and <c>accepted BATCH</c> after its reply; <c>outcomes</c> has a line
/// per chunk: the cursor, then <c>NUMBER:OUTCOME:VALUE</c> of each task.
/// </summary>
public sealed class Journal : IDisposable
{
    private readonly FileStream _submissions;
    private readonly FileStream _outcomes;
    private readonly Dictionary<BatchId, PlannedBatch> _planned = [];

    private Journal(string directory)
    {
        _submissions = OpenWhole(Path.Combine(directory, "submissions"), ReadSubmission);
        _outcomes = OpenWhole(Path.Combine(directory, "outcomes"), ReadOutcomes);
    }

    /// <summary>Batches whose reply has not come.</summary>
    public IEnumerable<PlannedBatch> NotAccepted => _planned.Values.Where(static batch => !batch.Accepted);

    /// <summary>Calls planned so far; the next batch begins here.</summary>
    public int Planned { get; private set; }

    /// <summary>Outcomes written.</summary>
    public int Outcomes { get; private set; }

    /// <summary>Where the stream of results goes on.</summary>
    public ulong Cursor { get; private set; }

    public static Journal Open(string directory) => new(directory);

    /// <summary>Notes a batch before it is sent.</summary>
    public PlannedBatch Plan(int count)
    {
        var batch = new PlannedBatch(ServiceApi.NewBatch(), Planned, count);
        Append(_submissions, string.Create(CultureInfo.InvariantCulture, $"plan {batch.Id} {batch.First} {batch.Count}\n"));
        Remember(batch);
        return batch;
    }

    /// <summary>Notes that a batch was acknowledged.</summary>
    public void Accept(PlannedBatch batch)
    {
        Append(_submissions, $"accepted {batch.Id}\n");
        batch.Accepted = true;
    }

    /// <summary>Notes the outcomes of a chunk and the cursor behind it.</summary>
    public void Write(ResultChunk chunk)
    {
        var line = new StringBuilder().Append(CultureInfo.InvariantCulture, $"{chunk.Cursor}");
        var count = 0;
        foreach (var result in TaskResult.Decode(chunk))
        {
            // A batch that this journal does not know is written as it is: the checker must see it.
            var number = _planned.TryGetValue(result.Task.Batch, out var batch)
                ? (batch.First + (int)result.Task.Index).ToString(CultureInfo.InvariantCulture)
                : $"unknown-{result.Task}";
            line.Append(CultureInfo.InvariantCulture, $" {number}:{(int)result.Outcome}:{Convert.ToBase64String(result.Value.Span)}");
            count++;
        }

        Append(_outcomes, line.Append('\n').ToString());
        Outcomes += count;
        Cursor = chunk.Cursor;
    }

    public void Dispose()
    {
        _submissions.Dispose();
        _outcomes.Dispose();
    }

    private static void Append(FileStream file, string line)
    {
        file.Write(Encoding.ASCII.GetBytes(line));
        file.Flush();
    }

    private static FileStream OpenWhole(string path, Action<string[]> read)
    {
        var bytes = File.Exists(path) ? File.ReadAllBytes(path) : [];
        var whole = bytes.AsSpan().LastIndexOf((byte)'\n') + 1;
        foreach (var line in Encoding.ASCII.GetString(bytes, 0, whole).Split('\n', StringSplitOptions.RemoveEmptyEntries))
            read(line.Split(' '));
        // No buffer: a line is one write.
        var file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.Write, FileShare.Read, bufferSize: 0);
        file.SetLength(whole);
        file.Seek(whole, SeekOrigin.Begin);
        return file;
    }

    private void ReadSubmission(string[] words)
    {
        if (!BatchId.TryParse(words[1], out var id))
            throw new InvalidDataException($"submissions: '{words[1]}' is no batch id");
        if (words[0] == "plan")
            Remember(new PlannedBatch(id, int.Parse(words[2], CultureInfo.InvariantCulture), int.Parse(words[3], CultureInfo.InvariantCulture)));
        else
            _planned[id].Accepted = true;
    }

    private void ReadOutcomes(string[] words)
    {
        Cursor = ulong.Parse(words[0], CultureInfo.InvariantCulture);
        Outcomes += words.Length - 1;
    }

    private void Remember(PlannedBatch batch)
    {
        _planned.Add(batch.Id, batch);
        Planned = batch.First + batch.Count;
    }
}
