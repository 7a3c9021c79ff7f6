namespace LlmPipeline;

/// <summary>What follows from a time-out.</summary>
internal enum TimeoutVerdict
{
    /// <summary>Undecided: the row is sent again, uncharged.</summary>
    SendAgain,

    /// <summary>Others succeed, or there are none: it is the row's own.</summary>
    Row,

    /// <summary>Several rows time out and none succeeds: it is the deployment's.</summary>
    Deployment,
}

/// <summary>Decides whose fault time-outs are. Safe for threads.</summary>
internal sealed class TimeoutEvidence
{
    // A few rows that are all too long look like that too, so not two.
    private const int RowsToOpen = 3;

    private readonly Lock _lock = new();
    private readonly HashSet<string> _rows = [];
    private long _succeeded;

    /// <summary>Counts a success.</summary>
    /// <param name="timestamp">Now.</param>
    public void Succeeded(long timestamp)
    {
        Volatile.Write(ref _succeeded, timestamp);
        if (_rows.Count == 0)
            return;
        lock (_lock)
            _rows.Clear();
    }

    /// <summary>Judges a time-out.</summary>
    /// <param name="jobId">The row.</param>
    /// <param name="sent">Timestamp of when its call was sent.</param>
    /// <param name="othersInFlight">Whether other calls were under way with it.</param>
    public TimeoutVerdict Judge(string jobId, long sent, bool othersInFlight)
    {
        if (Volatile.Read(ref _succeeded) is var succeeded && succeeded != 0 && succeeded >= sent)
            return TimeoutVerdict.Row;
        lock (_lock)
        {
            if (_rows.Count < RowsToOpen)
                _rows.Add(jobId);
            if (_rows.Count >= RowsToOpen)
                return TimeoutVerdict.Deployment;
            return othersInFlight ? TimeoutVerdict.SendAgain : TimeoutVerdict.Row;
        }
    }
}
