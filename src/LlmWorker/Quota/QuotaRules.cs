namespace LlmPipeline;

/// <summary>The numbers and formulas of the quota, which Scripts/reserve.lua repeats. Times are in milliseconds, rates per millisecond, limits a minute.</summary>
internal static class QuotaRules
{
    /// <summary>What calls take is kept in slots of so many ms.</summary>
    public const double SlotLength = 100;

    /// <summary>
    /// Slots of the window: 60.3 to 60.4 s. What is longer than the provider's minute covers how much later one call may reach it than another: without that,
    /// a call sent as the first of the minute leaves the window would now and then arrive before that one has left.
    /// </summary>
    public const int Slots = 604;

    public const double WindowLength = Slots * SlotLength;

    /// <summary>Slots of what must stay small within a second: 1 to 1.1 s.</summary>
    public const int SlotsOfASecond = 11;

    /// <summary>So many ms after a cut another one would be for the same burst of errors.</summary>
    public const double BurstOfErrors = 2000;

    /// <summary>The time in ms in which the call that probes a rate limit is the only one.</summary>
    public const double ProbeLength = 10_000;

    /// <summary>The provider must count so much more of the limit than this ledger before others are assumed to use it too.</summary>
    public const double Tolerance = 0.02;

    // What leaves the minute may leave faster than evenly, so whoever waits for it looks again sooner: 25 s of every minute's wait.
    private const double Hurry = 25_000;
    private const double SecondsOfBurst = 0.1;
    private const double MostOfASecond = 2.8;
    private const double SteadyPace = 0.994;
    private const double CatchingUp = 50;
    private const double SlowestPace = 0.9;
    private const double FastestPace = 2.2;

    /// <summary>What the pace can save up: a tenth of a second's worth. Providers judge over 1 to 10 s.</summary>
    public static double Burst(double limit) => limit / 60 * SecondsOfBurst;

    /// <summary>
    /// Of a minute that began before anything is known of it, all counts as used, spread evenly, but for a second's worth and the first call: whoever
    /// has just started may have used it all in an earlier life, and a start must not be a burst.
    /// </summary>
    public static double BeforeUs(double limit, double firstCall) => (limit * 0.98) - firstCall;

    /// <summary>
    /// How fast the pace refills: evenly when the minute is used up but for the call that is next; faster, up to about twice, while more of it is left over.
    /// </summary>
    public static double Rate(double limit, double used, double next) =>
        limit <= 0 ? 0 : limit / 60_000 * Math.Clamp(SteadyPace + (CatchingUp * (1 - ((used + next) / limit))), SlowestPace, FastestPace);

    /// <summary>How long until a call that takes so much may go; 0 for now. A call larger than the limit goes when nothing else is in the minute.</summary>
    public static double Wait(double limit, double rate, double used, double second, double level, double take)
    {
        var wait = level < 0 ? -level / rate : 0;
        var over = used + Math.Min(take, limit) - limit;
        if (over > 0)
            wait = Math.Max(wait, Math.Max(10, Math.Min(1000, over * Hurry / limit)));
        // A call too large for any second has one for itself.
        if (second > 0 && second + take > limit / 60 * MostOfASecond)
            wait = Math.Max(wait, SlotLength);
        return wait;
    }
}
