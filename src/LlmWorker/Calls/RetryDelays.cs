namespace LlmPipeline;

/// <summary>How long to wait before the next try.</summary>
internal static class RetryDelays
{
    /// <summary>Doubles from the base up to the longest, spread by half up and down, and never before the provider's own word.</summary>
    /// <param name="failures">How many there were, 1 or more.</param>
    /// <param name="first">The wait after the first.</param>
    /// <param name="longest">The longest wait before the spread.</param>
    /// <param name="notBefore">The provider's word; null for none.</param>
    /// <param name="jitter">From 0 to 1.</param>
    public static TimeSpan After(int failures, TimeSpan first, TimeSpan longest, TimeSpan? notBefore, double jitter)
    {
        var doubled = first * Math.Pow(2, Math.Clamp(failures - 1, 0, 30));
        var spread = (doubled < longest ? doubled : longest) * (0.5 + jitter);
        return notBefore is { } asked && asked > spread ? AfterGate(asked, jitter) : spread;
    }

    /// <summary>A little after a gate opens, so that those who wait don't all come at once.</summary>
    public static TimeSpan AfterGate(TimeSpan closedFor, double jitter) =>
        closedFor + (TimeSpan.FromMilliseconds(Math.Min(closedFor.TotalMilliseconds, 1000) / 4) * jitter);
}
