using System.Globalization;

namespace LlmPipeline.Bench;

/// <summary>What a run came to, by the judge's own count.</summary>
internal sealed class QuotaResult(QuotaScenario scenario, IReadOnlyList<Verdict> verdicts)
{
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    public QuotaScenario Scenario => scenario;

    public IReadOnlyList<Verdict> Verdicts => verdicts;

    /// <summary>
    /// Of the limit, the share that was used: what the judge counted, requests or tokens, against limit × time. Over the whole run; with unknown limits from the
    /// first minute on. Null with halved ones: what came before the change still counts against the smaller limit for a minute.
    /// </summary>
    public double? Used => scenario.HalvedAfter is null ? Share(scenario.IsKnown ? 0 : Minute.TotalSeconds, verdicts[^1].At) : null;

    /// <summary>The share of calls that the judge refused, over the whole run; with halved limits in the minute after the change.</summary>
    public double Refused
    {
        get
        {
            var (first, last) = scenario.HalvedAfter is { } halved ? (At(halved.TotalSeconds), At((halved + Minute).TotalSeconds)) : (verdicts[0], verdicts[^1]);
            var calls = last.Calls - first.Calls;
            return calls == 0 ? 0 : (last.Refused - first.Refused) / (double)calls;
        }
    }

    /// <summary>In the minute after the limits were halved: how full the judge's sliding minute was on average, never counted as more than full; null without a change.</summary>
    public double? FullAfterHalving => scenario.HalvedAfter is not { } halved ? null : verdicts
        .Where(v => v.At > halved.TotalSeconds && v.At <= (halved + Minute).TotalSeconds)
        .Average(v => Math.Min(1, (scenario.TokensBind ? v.TokensInMinute : v.RequestsInMinute) / v.Limit));

    /// <summary>The run as a table: second, limit, counted so far, in the sliding minute, refused so far.</summary>
    public IEnumerable<string> Trace() => verdicts
        .Select(v => string.Create(CultureInfo.InvariantCulture, $"{v.At:0.0},{v.Limit:0},{Counted(v)},{(scenario.TokensBind ? v.TokensInMinute : v.RequestsInMinute)},{v.Refused}"))
        .Prepend("second,limit,counted,in_minute,refused");

    private double Share(double from, double to) => from >= to ? double.NaN : (Counted(At(to)) - Counted(At(from))) / (At(to).Limit / 60 * (At(to).At - At(from).At));

    private long Counted(Verdict verdict) => scenario.TokensBind ? verdict.CountedTokens : verdict.CountedRequests;

    private Verdict At(double second) => verdicts.FirstOrDefault(v => v.At >= second) ?? verdicts[^1];
}
