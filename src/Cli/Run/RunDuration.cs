namespace LlmPipeline;

/// <summary>How long a run takes at least, by the limits that the settings give.</summary>
/// <param name="Time">The time; null where no limit is given.</param>
/// <param name="Limit">The limit that decides: <c>requests/min</c> or <c>tokens/min</c>.</param>
internal sealed record RunDuration(TimeSpan? Time, string? Limit)
{
    private static readonly RunDuration Unknown = new(null, null);

    /// <summary>Of a plan. Limits count where every deployment of the plan's models has one; together they allow the sum.</summary>
    public static RunDuration Of(RunPlan plan, RunEstimate estimate)
    {
        if (plan.IsSimulated)
            return Unknown;
        var deployments = plan.Summary.Models.Keys.SelectMany(plan.Llm.For).Distinct().ToList();
        var requests = Minutes(estimate.Rows, deployments.Select(one => one.RequestsPerMinute));
        var tokens = Minutes(estimate.Prompt + estimate.Completion, deployments.Select(one => one.TokensPerMinute));
        if (requests is null && tokens is null)
            return Unknown;
        var most = TimeSpan.FromDays(3650).TotalMinutes;
        return (tokens ?? 0) > (requests ?? 0)
            ? new RunDuration(TimeSpan.FromMinutes(Math.Min(most, tokens!.Value)), "tokens/min")
            : new RunDuration(TimeSpan.FromMinutes(Math.Min(most, requests ?? 0)), "requests/min");
    }

    /// <summary>In words.</summary>
    /// <param name="concurrency">The most calls at the same time.</param>
    public string Text(int concurrency) => Time is { } time
        ? $"at least {ProgressText.Time(time)} at the {Limit} that the settings allow"
        : $"no limit is set (--rpm, --tpm): the endpoint's answers to {RunConsole.Text(concurrency)} calls at the same time decide "
            + "how long it takes";

    private static double? Minutes(double amount, IEnumerable<int?> limits)
    {
        var all = limits.ToList();
        return all.Count == 0 || all.Contains(null) ? null : amount / all.Sum(limit => (double)limit!);
    }
}
