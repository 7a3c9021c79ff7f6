using System.Globalization;

namespace LlmPipeline;

/// <summary>
/// Measures how fast the rows of batches end, by what earlier looks of this process have seen. Nothing of it is stored: one look alone
/// tells no rate.
/// </summary>
/// <param name="time">The clock.</param>
/// <param name="window">The rate is that since the oldest look of so long ago, or less.</param>
internal sealed class BatchRates(TimeProvider time, TimeSpan window)
{
    private readonly Dictionary<string, Queue<(long At, long Ended)>> _looks = new(StringComparer.Ordinal);

    /// <summary>The status with the rate since the looks before, which this is one of from now on.</summary>
    public BatchStatus Measure(BatchStatus status)
    {
        if (status.HasEnded)
            return status;
        var (now, ended) = (time.GetTimestamp(), status.Completed + status.Failed + status.Cancelled);
        if (!_looks.TryGetValue(status.Batch, out var looks))
            _looks[status.Batch] = looks = new();
        looks.Enqueue((now, ended));
        while (looks.Count > 2 && time.GetElapsedTime(looks.Peek().At, now) > window)
            looks.Dequeue();
        var (at, before) = looks.Peek();
        var seconds = time.GetElapsedTime(at, now).TotalSeconds;
        if (looks.Count < 2 || seconds <= 0)
            return status;
        // Rows that run again have not ended any more.
        var rate = Math.Max(0, ended - before) / seconds;
        return status with { RowsPerSecond = Math.Round(rate, 2), SecondsLeft = rate > 0 ? Math.Ceiling(status.Left / rate) : null };
    }

    public FleetStatus Measure(FleetStatus status) => status with { Batches = [.. status.Batches.Select(Measure)] };

    /// <summary>Rows per second.</summary>
    public static string Text(double rate) => rate.ToString(rate < 10 ? "0.##" : "N0", CultureInfo.InvariantCulture);

    /// <summary>A time that is left.</summary>
    public static string TimeText(double seconds) => seconds switch
    {
        >= 864_000 => "over 10 days",
        >= 3600 => string.Create(CultureInfo.InvariantCulture, $"{(int)(seconds / 3600)} h {(int)(seconds % 3600 / 60)} min"),
        >= 60 => string.Create(CultureInfo.InvariantCulture, $"{(int)(seconds / 60)} min {(int)(seconds % 60)} s"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{seconds:0} s"),
    };
}
