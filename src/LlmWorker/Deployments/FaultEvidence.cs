namespace LlmPipeline;

/// <summary>What a refusal that may concern more than its row says.</summary>
internal enum RefusalKind
{
    /// <summary>The key or the account is refused: 401, 402, 407, or an error that says so.</summary>
    Account,

    /// <summary>A 403 or a redirect: of the row, the model or the path.</summary>
    Forbidden,

    /// <summary>The error says that the model is unknown.</summary>
    UnknownModel,

    /// <summary>Another 4xx, whose code is no known fault of a row.</summary>
    Unexplained,
}

/// <summary>What follows from a refusal.</summary>
internal enum RefusalVerdict
{
    /// <summary>Undecided: the row goes back uncharged and is sent once more.</summary>
    SendAgain,

    /// <summary>Its scope is unavailable: the row goes back uncharged.</summary>
    Close,

    /// <summary>It is the row's own.</summary>
    Row,
}

/// <summary>A refusal to be judged.</summary>
/// <param name="JobId">The row.</param>
/// <param name="Scope">What it concerns if it is not the row's own.</param>
/// <param name="Status">The HTTP status.</param>
/// <param name="Code">The error's code.</param>
/// <param name="Kind">What it says.</param>
internal readonly record struct RefusalFacts(string JobId, FaultScope Scope, int? Status, string? Code, RefusalKind Kind)
{
    /// <summary>Whether a call of its scope succeeded while it was under way.</summary>
    public bool OthersSucceeded { get; init; }

    /// <summary>Whether a call of its scope succeeded since the row was first refused, perhaps by another worker.</summary>
    public bool OthersSucceededBetween { get; init; }

    /// <summary>Whether calls are under way that may still succeed.</summary>
    public bool OthersInFlight { get; init; }

    /// <summary>Whether there are more rows in its flow than close it.</summary>
    public bool HasMoreRows { get; init; }

    /// <summary>Whether its key is known to be right.</summary>
    public bool KeyIsValid { get; init; }

    /// <summary>Whether its scope has brought an answer before.</summary>
    public bool HasAnswered { get; init; }
}

/// <summary>
/// Decides whose fault a refusal is. Five different rows that are refused alike, with no success of the same scope in between, close the
/// scope; a row that is refused again after others have succeeded has a fault of its own. Where there are no other rows, the second or
/// fourth refusal of the same one decides. Safe for threads.
/// </summary>
internal sealed class FaultEvidence
{
    /// <summary>Different rows in a row that close a scope.</summary>
    public const int RowsToClose = 5;

    private const int SendsOfOne = 2;
    private const int SendsOfSome = 4;
    private const int MostSends = 10;
    private const int MostRows = 10_000;
    private const int MostStreaks = 1000;

    private readonly Lock _lock = new();
    private readonly Dictionary<(FaultScope Scope, int? Status, string? Code), HashSet<string>> _streaks = [];
    private readonly Dictionary<string, Row> _rows = [];
    private readonly Queue<string> _order = new();
    private readonly HashSet<Row> _undecided = [];
    private readonly Dictionary<string, int> _throttled = [];

    /// <summary>Counts a success.</summary>
    public void Succeeded(string model, string? path, string flow)
    {
        lock (_lock)
        {
            if (_streaks.Count == 0 && _undecided.Count == 0)
                return;
            foreach (var key in _streaks.Keys.Where(key => key.Scope.Covers(model, path, flow)).ToList())
                _streaks.Remove(key);
            foreach (var row in _undecided.Where(row => row.Scope.Covers(model, path, flow)).ToList())
            {
                row.OthersSucceeded = true;
                _undecided.Remove(row);
            }
        }
    }

    /// <summary>How often a row was told to wait although other rows succeeded just then.</summary>
    /// <param name="jobId">The row.</param>
    /// <param name="othersSucceeded">Whether they did this time too.</param>
    public int Throttled(string jobId, bool othersSucceeded)
    {
        lock (_lock)
        {
            var count = _throttled.GetValueOrDefault(jobId) + (othersSucceeded ? 1 : 0);
            if (!othersSucceeded)
                return count;
            // What is forgotten is counted anew.
            if (_throttled.Count == MostRows)
                _throttled.Clear();
            _throttled[jobId] = count;
            return count;
        }
    }

    /// <summary>Judges a refusal.</summary>
    /// <returns>What follows, and how often the row was refused.</returns>
    public (RefusalVerdict Verdict, int Sends) Judge(in RefusalFacts refusal)
    {
        lock (_lock)
        {
            var row = RowOf(refusal);
            row.Sends++;
            var verdict = row.IsProven ? RefusalVerdict.Row : Judge(refusal, row);
            // A 500 is tried again, and its next attempts need no other proof.
            if (verdict == RefusalVerdict.Row && refusal.Status >= 500)
                Prove(row);
            else if (verdict != RefusalVerdict.SendAgain)
                Forget(refusal.JobId);
            return (verdict, row.Sends);
        }
    }

    private RefusalVerdict Judge(in RefusalFacts refusal, Row row)
    {
        if (row.OthersSucceeded || refusal.OthersSucceededBetween || (refusal.OthersSucceeded && refusal.Kind != RefusalKind.Account))
            return RefusalVerdict.Row;
        row.OthersSucceeded = refusal.OthersSucceeded;
        var key = (refusal.Scope, refusal.Status, refusal.Code);
        if (!_streaks.TryGetValue(key, out var streak))
        {
            // What is forgotten is found again by the rows that follow.
            if (_streaks.Count == MostStreaks)
                _streaks.Clear();
            _streaks.Add(key, streak = []);
        }

        if (streak.Count < RowsToClose)
            streak.Add(refusal.JobId);
        if (refusal.Kind == RefusalKind.UnknownModel && !refusal.HasAnswered)
            return RefusalVerdict.Close;
        if (streak.Count >= RowsToClose && (refusal.Kind != RefusalKind.Unexplained || refusal.HasMoreRows))
            return RefusalVerdict.Close;
        return IsDecided(refusal, row.Sends) ? Alone(refusal) : RefusalVerdict.SendAgain;
    }

    private static bool IsDecided(in RefusalFacts refusal, int sends) =>
        sends >= MostSends || (!refusal.OthersInFlight && sends >= (refusal.HasMoreRows ? SendsOfSome : SendsOfOne));

    // With no other row to tell, what the error says decides.
    private static RefusalVerdict Alone(in RefusalFacts refusal) => refusal.Kind switch
    {
        RefusalKind.Account when !refusal.KeyIsValid && !refusal.HasAnswered => RefusalVerdict.Close,
        _ => RefusalVerdict.Row,
    };

    private Row RowOf(in RefusalFacts refusal)
    {
        if (_rows.TryGetValue(refusal.JobId, out var row) && row.Scope == refusal.Scope)
            return row;
        if (row is not null)
            _undecided.Remove(row);
        else
            _order.Enqueue(refusal.JobId);
        _rows[refusal.JobId] = row = new Row(refusal.Scope);
        _undecided.Add(row);
        while (_order.Count > MostRows && _order.TryDequeue(out var oldest))
        {
            if (_rows.Remove(oldest, out var old))
                _undecided.Remove(old);
        }

        return row;
    }

    private void Prove(Row row)
    {
        row.IsProven = true;
        _undecided.Remove(row);
    }

    private void Forget(string jobId)
    {
        // Its place in the order goes when it comes up; a row that is refused again begins anew.
        if (_rows.Remove(jobId, out var row))
            _undecided.Remove(row);
    }

    private sealed class Row(FaultScope scope)
    {
        public FaultScope Scope => scope;

        public int Sends { get; set; }

        public bool OthersSucceeded { get; set; }

        /// <summary>Whether the fault is known to be its own.</summary>
        public bool IsProven { get; set; }
    }
}
