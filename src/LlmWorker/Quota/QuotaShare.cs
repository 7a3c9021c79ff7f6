namespace LlmPipeline;

/// <summary>
/// Which share of the limits is used after calls were refused that they left room for: a tenth less than what failed, then quickly back to just below it,
/// then slowly past it. A limit that the provider told is never exceeded; one that was guessed is felt out further and further.
/// </summary>
internal static class QuotaShare
{
    private const double Cut = 0.9;
    private const double Near = 0.98;
    private const double QuicklyPerSecond = 0.01;
    private const double SlowlyPerSecond = 0.001;
    private const double Least = 0.02;

    /// <param name="failed">The share that failed.</param>
    /// <param name="since">How long ago; null for never.</param>
    /// <param name="guessed">Whether the limit is a guess.</param>
    public static double After(double failed, TimeSpan? since, bool guessed)
    {
        // A guess is below what is possible as likely as above.
        if (since is not { } age)
            return 1;
        var low = Math.Max(Least, failed * Cut);
        var near = Math.Max(low, failed * Near);
        var quick = (near - low) / QuicklyPerSecond;
        var share = age.TotalSeconds < quick ? low + (age.TotalSeconds * QuicklyPerSecond) : near + ((age.TotalSeconds - quick) * SlowlyPerSecond);
        return guessed ? share : Math.Min(1, share);
    }
}
