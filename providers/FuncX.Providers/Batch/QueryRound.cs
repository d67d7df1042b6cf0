namespace FuncX.Providers.Batch;

/// <summary>What one poll has learnt, source by source.</summary>
/// <param name="names">The name that each job was submitted with.</param>
internal sealed class QueryRound(IReadOnlyDictionary<string, string> names)
{
    private readonly Dictionary<string, JobReport> _found = new(StringComparer.Ordinal);
    private readonly HashSet<string> _unanswered = new(StringComparer.Ordinal);
    private readonly HashSet<string> _gone = new(StringComparer.Ordinal);
    private readonly Dictionary<string, JobReport> _outdated = new(StringComparer.Ordinal);
    private int _answers;

    /// <summary>The first source could not be asked.</summary>
    public bool IsAway { get; private set; }

    public bool KnowsNothing => _found.Count == 0;

    /// <summary>What the last source that did not answer said.</summary>
    public string Message { get; private set; } = "";

    public JobReport? Find(string id) => _found.GetValueOrDefault(id);

    /// <summary>The nearest source has answered, and does not know it: it waits and runs nowhere.</summary>
    public bool IsGone(string id) => _gone.Contains(id);

    /// <summary>What a record has of a job that has not ended in it; null when none has.</summary>
    public JobReport? Outdated(string id) => _outdated.GetValueOrDefault(id);

    /// <summary>Whether every source that exists has answered for it.</summary>
    public bool IsAnswered(string id) => _answers > 0 && !_unanswered.Contains(id);

    /// <summary>Those that the source is to be asked for.</summary>
    public IReadOnlyList<string> Open(IEnumerable<string> ids, StatusQuery query) =>
        [.. ids.Where(id => _found.TryGetValue(id, out var report) ? report.LacksDetail : !query.IsRepeated || !_gone.Contains(id))];

    /// <summary>The next source is asked about these at another time: until then it has not answered for them.</summary>
    public void Defer(IEnumerable<string> ids) => _unanswered.UnionWith(ids);

    /// <param name="query">The source.</param>
    /// <param name="asked">What it was asked about.</param>
    /// <param name="answer">What it said.</param>
    /// <param name="isFirst">Whether it is the nearest to the jobs.</param>
    public void Take(StatusQuery query, IReadOnlyList<string> asked, StatusAnswer answer, bool isFirst)
    {
        foreach (var id in asked)
        {
            if (answer.Jobs.TryGetValue(id, out var report) && (report.Name is null || report.Name == names[id]))
            {
                if (!query.IsRecord || report.Condition.IsEnd())
                    Add(id, report);
                else
                    _outdated[id] = report;
            }
            else if (answer.Kind is AnswerKind.Away or AnswerKind.Garbled)
                _unanswered.Add(id);
            else if (isFirst && answer.Kind == AnswerKind.Answered)
                _gone.Add(id);
        }

        if (answer.Kind == AnswerKind.Answered)
            _answers++;
        if (answer.Kind is AnswerKind.Away or AnswerKind.Garbled)
            Message = answer.Message;
        IsAway |= _answers == 0 && answer.Kind == AnswerKind.Away;
    }

    // An earlier source is the nearer one to the job; a later one adds only how it ended.
    private void Add(string id, JobReport report)
    {
        if (!_found.TryGetValue(id, out var first))
            _found[id] = report;
        else if (report.Condition.IsEnd())
            _found[id] = first with { ExitCode = report.ExitCode ?? first.ExitCode, Signal = report.Signal ?? first.Signal, Reason = Longer(first.Reason, report.Reason), LacksDetail = report.LacksDetail };
    }

    private static string Longer(string left, string right) => right.Length > left.Length ? right : left;
}
