namespace LlmPipeline;

/// <summary>
/// Which share of the limits is used after calls were refused that they left room for: a tenth less than what failed, then quickly back to just below it,
/// then slowly past it. A limit that the provider told is never exceeded; one that was guessed is felt out further and further.
/// </summary>
internal static class QuotaShare
{
    /// <summary>What a cut leaves of the share that failed.</summary>
    public const double Cut = 0.9;

    /// <summary>What was cut in vain is held so long before it is doubled: time to see whether it was a limit after all.</summary>
    public const double SecondsToLook = 10;

    private const double SecondsToDouble = 4;
    private const double LongestDoubling = 60;
    private const double Near = 0.98;
    private const double QuicklyPerSecond = 0.01;
    private const double SlowlyPerSecond = 0.001;
    private const double Least = 0.02;

    /// <param name="failed">The share that failed. Of a guess more than 1 says that it did not fail, and was in vain cut to where it is: it is doubled every few seconds.</param>
    /// <param name="since">How long ago; null for never.</param>
    /// <param name="guessed">Whether the limit is a guess.</param>
    public static double After(double failed, TimeSpan? since, bool guessed)
    {
        if (since is not { } age)
            return 1;
        if (guessed && failed > 1)
            return failed * Cut * Math.Pow(2, Math.Clamp(age.TotalSeconds - SecondsToLook, 0, LongestDoubling) / SecondsToDouble);
        var low = Math.Max(Least, failed * Cut);
        var near = Math.Max(low, failed * Near);
        var quick = (near - low) / QuicklyPerSecond;
        var share = age.TotalSeconds < quick ? low + (age.TotalSeconds * QuicklyPerSecond) : near + ((age.TotalSeconds - quick) * SlowlyPerSecond);
        if (!guessed)
            return Math.Min(1, share);
        // A guess is below what is possible as likely as above, and maybe by far.
        var minutes = Math.Max(0, age.TotalSeconds - quick) / 60;
        return share + (near * minutes * minutes * minutes / 2);
    }
}
