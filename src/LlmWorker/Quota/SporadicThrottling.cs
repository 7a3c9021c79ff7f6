namespace LlmPipeline;

/// <summary>What a refused call says.</summary>
internal enum Refusal
{
    /// <summary>That too much is asked.</summary>
    Limit,

    /// <summary>Nothing but its own wait: so many are refused at any rate.</summary>
    Sporadic,

    /// <summary>Likewise, and that the last cuts were in vain: back to <see cref="SporadicThrottling.Level"/>.</summary>
    InVain,

    /// <summary>
    /// That too much is asked since cuts were taken back: back to <see cref="SporadicThrottling.Level"/>, and a cut from there.
    /// </summary>
    LimitAfterAll,
}

/// <summary>
/// Tells refusals that a limit explains from those that come at any rate: an overloaded node behind a load balancer, a provider that turns away one call in a
/// hundred. Where a limit was met, a cut ends the refusals, and what is sent right behind a refused call is refused too. Where refusals go on one by one through several
/// cuts, the cuts are taken back, and the share that was refused meanwhile is put up with from then on. When much more is refused then, it was a limit after all,
/// and the next look waits longer. Not safe for threads; the limiter locks.
/// </summary>
internal sealed class SporadicThrottling(TimeProvider timeProvider)
{
    // Cuts that did not help, together at least so deep.
    private const int VainCuts = 4;
    private const double Deep = 0.85;

    // Of the first of them: whatever fails from here on is a new beginning.
    private const double CameBack = 0.98;

    // The last two cuts helped when they left less than this of the share that was refused.
    private const double Helped = 0.6;
    private const double MostSporadic = 0.25;
    private const double Much = 0.08;

    // As many more than expected may be refused by chance.
    private const double Chance = 3;

    // Where a limit was met, taking back four cuts of a tenth each makes 0.34 more of the calls be refused; half of that tells the one from the other.
    private const double HalfOfTheCuts = 0.17;

    // Calls after which what came before them counts half.
    private const double Remembered = 200;

    // A look is over after so long and so many calls.
    private const double FewestCallsOfALook = 100;
    private static readonly TimeSpan ShortestLook = TimeSpan.FromSeconds(QuotaShare.SecondsToLook);
    private static readonly TimeSpan LongestOfMuch = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan LongestPause = TimeSpan.FromMinutes(30);

    private readonly Queue<Stretch> _stretches = new();
    private Stretch _now;
    private double _firstLevel;
    private bool _isGuess;
    private double _calls;
    private double _refused;
    private double _callsOfLook;
    private long? _lookedAt;
    private double _lookedFrom;
    private long _toleratedAt;
    private long _sent;
    private long _refusedAt;
    private long _heardAt;
    private TimeSpan _pause = FirstPause;
    private long? _notBefore;

    /// <summary>The share of calls that is refused at any rate; 0 when none is known to be.</summary>
    public double Tolerated { get; private set; }

    /// <summary>Where a change of mind leads back to.</summary>
    public double Level { get; private set; }

    /// <summary>The share of the last calls that were refused.</summary>
    public double RefusedShare => _refused / Math.Max(1, _calls);

    private bool IsLooking => _lookedAt is { } at && (_callsOfLook < FewestCallsOfALook || timeProvider.GetElapsedTime(at) < ShortestLook);

    /// <summary>A call is sent. It counts from here and not from its answer: a refusal comes sooner than a completion.</summary>
    /// <returns>Its number.</returns>
    public long Send()
    {
        (_calls, _callsOfLook, _now.Calls) = (_calls + 1, _callsOfLook + 1, _now.Calls + 1);
        if (_calls >= 2 * Remembered)
            Fade();
        return ++_sent;
    }

    /// <summary>A call was refused.</summary>
    /// <param name="number">What <see cref="Send"/> said of it.</param>
    /// <param name="level">What may be used now: a share of the limits; or where these are guessed, requests a minute.</param>
    /// <param name="isGuess">Which of them.</param>
    /// <param name="isBurst">Whether it belongs to refusals that have just been heard of.</param>
    public Refusal Refused(long number, double level, bool isGuess, bool isBurst)
    {
        if (isGuess != _isGuess || (isGuess && Tolerated > Much && timeProvider.GetElapsedTime(_toleratedAt) > LongestOfMuch))
            Begin(isGuess);
        (_refused, _now.Refused) = (_refused + 1, _now.Refused + 1);
        Compare(number);
        if (Tolerated > 0 && _refused <= Chance + (Most(Tolerated) * _calls))
            return Refusal.Sporadic;
        if (isBurst)
            return Refusal.Limit;
        if (IsLooking)
            return LookFailed(level);
        if (_lookedAt is not null)
            return RiseEnded(level);
        // What comes from here on makes the next cut.
        Recall(Math.Min(_calls, Remembered));
        return Cut(level);
    }

    private static double Most(double sporadic) => Math.Min((2 * sporadic) + 0.02, sporadic + ((1 - sporadic) * HalfOfTheCuts));

    private Refusal Cut(double level)
    {
        if (level >= _firstLevel * CameBack)
            _stretches.Clear();
        if (_stretches.Count == 0)
            (_firstLevel, _now) = (level, default);
        _stretches.Enqueue(_now with { Level = level });
        _now = default;
        if (_stretches.Count <= VainCuts)
            return Refusal.Limit;
        var before = _stretches.Dequeue();
        var cuts = _stretches.ToArray();
        var (early, late) = (cuts[0] + cuts[1], cuts[2] + cuts[3]);
        var sum = early + late;
        if (level > _firstLevel * Deep || sum.IsByALimit || late.Share < early.Share * Helped || timeProvider.GetTimestamp() < _notBefore)
            return Refusal.Limit;
        // Rather too much than too little: what is put up with only ever gets less.
        Tolerated = (sum.Refused + Math.Sqrt(sum.Refused)) / Math.Max(sum.Refused, sum.Calls);
        (_callsOfLook, _lookedAt, Level, _lookedFrom) = (0, _toleratedAt = timeProvider.GetTimestamp(), before.Level, level);
        Recall(Math.Min(sum.Calls, Remembered / 2));
        Forget();
        return Refusal.InVain;
    }

    private Refusal LookFailed(double level)
    {
        _notBefore = timeProvider.GetTimestamp() + (long)(_pause.TotalSeconds * timeProvider.TimestampFrequency);
        _pause = _pause * 2 < LongestPause ? _pause * 2 : LongestPause;
        (Tolerated, _lookedAt, Level) = (0, null, Math.Min(level, Math.Max(_lookedFrom, level / 2)));
        Forget();
        return Refusal.LimitAfterAll;
    }

    // The look went well, and the level has risen since: the limit lies between.
    private Refusal RiseEnded(double level)
    {
        (_lookedAt, Level) = (null, Math.Min(level, Math.Max(Level, level / 2)));
        Recall(Math.Min(_calls, Remembered));
        Forget();
        return Refusal.LimitAfterAll;
    }

    // Levels of the one kind say nothing of the other; and what many refusals are taken for is found out anew.
    private void Begin(bool isGuess)
    {
        (_isGuess, Tolerated, _lookedAt) = (isGuess, 0, null);
        Forget();
    }

    private void Recall(double calls) => (_calls, _refused) = (calls, Tolerated * calls);

    private void Forget()
    {
        _stretches.Clear();
        (_now, _firstLevel) = (default, 0);
    }

    private void Fade()
    {
        (_calls, _refused) = (_calls / 2, _refused / 2);
        // What gets rarer is put up with less; what gets more frequent is not.
        Tolerated = Math.Min(Tolerated, Tolerated + (((_refused / _calls) - Tolerated) / 8));
        if (Tolerated < 0.0005)
            Tolerated = 0;
    }

    private void Compare(long number)
    {
        if (number > _heardAt)
            (_now.Behind, _refusedAt, _heardAt) = (_now.Behind + _sent - number, number, _sent);
        else if (number > _refusedAt)
            _now.RefusedBehind++;
    }

    // From one cut to the next. Behind: what was sent after a refused call and before its refusal was heard. A full minute refuses that too, chance does not.
    private record struct Stretch(double Level, double Calls, double Refused, double Behind, double RefusedBehind)
    {
        public readonly double Share => Refused / Math.Max(Refused, Calls);

        public readonly bool IsByALimit => Refused - Math.Sqrt(Refused) > MostSporadic * Calls || RefusedBehind > (2 * Share * Behind) + 2;

        public static Stretch operator +(Stretch one, Stretch other) =>
            new(other.Level, one.Calls + other.Calls, one.Refused + other.Refused, one.Behind + other.Behind, one.RefusedBehind + other.RefusedBehind);
    }
}
