using Microsoft.Extensions.Logging;

namespace LlmPipeline;

/// <summary>The part that hears what the provider says.</summary>
internal sealed partial class RequestTokenLimiter
{
    private const double MostAboveUsed = 2;

    // One refusal among the few calls of a quiet minute is no evidence of a limit: it may be an overloaded node, or somebody else's burst,
    // and a guess from them would be two calls a minute. A guess needs this many calls in the minute, or another refusal within a minute.
    private const double FewestCallsOfAGuess = 20;

    private const double MostRefusedOfFew = 0.25;

    // What a guess has grown to while nobody needed it is without bound; the share that a refusal leaves of it is not.
    private const double MostOfAGuess = 1e6;
    private static readonly TimeSpan Repeated = TimeSpan.FromMinutes(1);

    /// <summary>What the answer to a call says of the limits.</summary>
    public void Hear(RateLimitHeaders headers)
    {
        lock (_lock)
        {
            if (_disposed)
                return;
            Learn(headers);
            if (_probes)
                _pending.Open();
            _probes = false;
            if (!_pending.IsUrgent)
                return;
            _freeUntil = 0;
        }
        Turn();
    }

    /// <summary>Opens the gate for everybody, whatever the provider has asked for.</summary>
    public void Open()
    {
        lock (_lock)
        {
            _pending.Open();
            _freeUntil = 0;
        }
        Turn();
    }

    /// <summary>A call was put off: a 429, or a 503 with a time to come again.</summary>
    /// <param name="number">Its lease's.</param>
    /// <param name="headers">The answer's.</param>
    /// <param name="wait">For how long the gate closes.</param>
    /// <returns>Whether it concerns other calls too; false for a refusal of the kind that comes at any rate.</returns>
    public bool Refuse(long number, RateLimitHeaders headers, TimeSpan wait)
    {
        bool concerns;
        lock (_lock)
        {
            if (_disposed)
                return false;
            _probes = false;
            var before = InForce();
            concerns = Refused(number, before, Learn(headers), wait);
            if (!_pending.IsUrgent)
                return concerns;
            _freeUntil = 0;
        }
        Turn();
        return concerns;
    }

    // The limits that are new; NaN for none.
    private QuotaAmount Learn(RateLimitHeaders headers)
    {
        var learned = _learner.Learn(headers);
        var news = new QuotaAmount(
            learned.Requests == _last.Learned.Requests && !_last.Guessed ? double.NaN : learned.Requests,
            learned.Tokens == _last.Learned.Tokens ? double.NaN : learned.Tokens);
        if (!double.IsNaN(news.Requests) || !double.IsNaN(news.Tokens))
            _pending.Learn(News(news.Requests), News(news.Tokens), guessed: false);
        _judged = QuotaLearner.Judged(headers);
        return news;

        static double? News(double limit) => double.IsNaN(limit) ? null : limit;
    }

    // A refusal that a new limit explains is none of the level's fault.
    private bool Refused(long number, QuotaAmount before, QuotaAmount news, TimeSpan wait)
    {
        var share = Share();
        var isExplained = news.Requests < before.Requests || news.Tokens < before.Tokens;
        var isUnknown = before.IsNone && double.IsNaN(news.Requests) && double.IsNaN(news.Tokens);
        var sinceCut = _last.SinceCut + _time.GetElapsedTime(_lastAt);
        var isBurst = GateWait() > TimeSpan.Zero || sinceCut < TimeSpan.FromMilliseconds(QuotaRules.BurstOfErrors);
        var isGuess = isUnknown || _last.Guessed;
        // A guess that has grown while nobody needed it says nothing; what was used does, if that was more than a few calls.
        var used = Math.Max(FewestCallsOfAGuess, UsedAMinute());
        var level = isUnknown ? used : isGuess ? Math.Min(before.Requests, MostAboveUsed * used) : share;
        var isEvidence = _last.Used.Requests >= FewestCallsOfAGuess || sinceCut < Repeated;
        var refusal = isExplained ? Refusal.Limit : _sporadic.Refused(number, level, isGuess, isBurst);
        if (refusal == Refusal.Sporadic)
            return false;
        if (refusal is Refusal.InVain or Refusal.LimitAfterAll)
            level = share = _sporadic.Level;
        if (!isBurst && isGuess && (isEvidence || refusal != Refusal.Limit))
        {
            // Nobody tells the limit, so where it failed is the best guess of it.
            _pending.Learn(Math.Max(1, level), null, guessed: true);
            // From few calls it is a bad guess, so it grows fast; unless the share of refused calls shows that the limit is as low.
            var isFromFew = refusal == Refusal.Limit && (isUnknown
                ? _last.Used.Requests < FewestCallsOfAGuess
                : number < FewestCallsOfAGuess && _sporadic.RefusedShare <= MostRefusedOfFew);
            share = isFromFew ? 1 / QuotaShare.Cut : 1;
        }
        if (refusal == Refusal.InVain)
        {
            LogInVain(_logger, _sporadic.Tolerated);
            _pending.Close(TimeSpan.Zero, share / QuotaShare.Cut, probes: false);
            return false;
        }
        var probes = wait >= MaxRetryAfter;
        _pending.Close(probes ? MaxRetryAfter : wait, isExplained || isBurst ? null : Math.Min(share, MostOfAGuess), probes);
        return true;
    }

    private double UsedAMinute() => _last.Used.Requests * 60 / Math.Clamp(_last.Age.TotalSeconds + SecondsSinceLast, 1, 60);

    [LoggerMessage(LogLevel.Information, "Calls are refused however few they are ({Share:P1} of them): the limits are used in full again")]
    private static partial void LogInVain(ILogger logger, double share);
}
