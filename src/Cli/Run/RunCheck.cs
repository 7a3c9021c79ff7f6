using System.Text.Json.Serialization;

namespace LlmPipeline;

/// <summary>What <c>run --check</c> reports: rows, tokens, cost, duration, and what would be refused. Nothing is sent.</summary>
internal static class RunCheck
{
    /// <summary>Counts and reports.</summary>
    /// <param name="plan">The run.</param>
    /// <param name="concurrency">The most calls at the same time.</param>
    /// <param name="console">Where the report goes.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public static async Task ReportAsync(RunPlan plan, int concurrency, RunConsole console, CancellationToken cancellationToken)
    {
        var duplicates = plan.Options.Dedupe
            ? await RunDuplicates.FindAsync(plan, _ => RowState.Missing, cancellationToken).ConfigureAwait(false)
            : null;
        var saved = duplicates?.Followers(_ => true);
        var estimate = await RunEstimate.OfAllAsync(plan, row => duplicates?.Leads(row) != false, cancellationToken).ConfigureAwait(false);
        var duration = RunDuration.Of(plan, estimate);
        if (plan.Options.Json)
            Console.Out.WriteLine(FleetJson.Of(ReportOf(plan, estimate, duration, saved)));
        console.Say($"{plan.Input.Path}: no errors");
        foreach (var (model, count) in plan.Summary.Models)
            console.Say($"{RunConsole.Text(count)} rows for {model}");
        if (saved is { } calls)
            console.Say($"{RunConsole.Text(calls)} rows ask the same as others: their calls are saved");
        var rows = plan.Options.Limit is null ? "" : $" in the first {RunConsole.Text(plan.Rows)} rows";
        console.Say($"{estimate.Text}{rows}, {RunConsole.Text(plan.Summary.BlankLines)} blank lines skipped");
        if (estimate is { Nanos: not null, NanosIfShort: { } least, NanosIfLong: { } most } && most > least)
        {
            console.Say(
                $"cost from {Money.About(least)} with answers of {RunEstimate.ShortCompletion} tokens to {Money.About(most)} "
                + $"with {RunEstimate.LongCompletion} (each at most the row's limit)");
        }

        console.Say(duration.Text(concurrency));
        foreach (var refusal in Refusals(plan, estimate))
            console.Say(refusal);
    }

    private static IEnumerable<string> Refusals(RunPlan plan, RunEstimate estimate)
    {
        if (estimate.Oversized > 0)
        {
            yield return $"{RunConsole.Text(estimate.Oversized)} rows are larger than the tokens/min of every deployment, "
                + $"the first is {estimate.FirstOversized}: a provider refuses such rows";
        }

        if (plan.Options.Budget is { } budget && estimate.Nanos > budget)
        {
            var rows = (long)(estimate.Rows * budget / estimate.Nanos.Value);
            yield return $"the budget of {Money.Text(budget)} is less than that: the run stops after about {RunConsole.Text(rows)} rows";
        }
    }

    private static CheckReport ReportOf(RunPlan plan, RunEstimate estimate, RunDuration duration, int? saved) => new()
    {
        Rows = plan.Summary.Rows,
        BlankLines = plan.Summary.BlankLines,
        Bytes = plan.Summary.Bytes,
        PromptTokens = estimate.Prompt,
        CompletionTokens = estimate.Completion,
        Cost = Money.Amount((long?)estimate.Nanos),
        CostIfShort = Money.Amount((long?)estimate.NanosIfShort),
        CostIfLong = Money.Amount((long?)estimate.NanosIfLong),
        SecondsAtLeast = duration.Time is { } time ? Math.Round(time.TotalSeconds, 1) : null,
        DecidingLimit = duration.Limit,
        OversizedRows = estimate.Oversized,
        SavedCalls = saved,
    };
}

/// <summary>What <c>--check --json</c> writes.</summary>
internal sealed record CheckReport
{
    /// <summary>Rows of the file.</summary>
    public required int Rows { get; init; }

    /// <summary>Lines that hold nothing.</summary>
    public required int BlankLines { get; init; }

    /// <summary>The file's length.</summary>
    public required long Bytes { get; init; }

    /// <summary>By the counter of the quota.</summary>
    public required long PromptTokens { get; init; }

    /// <summary>As <see cref="RunEstimate.Completion"/>.</summary>
    public required long CompletionTokens { get; init; }

    /// <summary>With usual answers; absent when a price is not known, as are the other costs.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public required decimal? Cost { get; init; }

    /// <summary>With answers of <see cref="RunEstimate.ShortCompletion"/> tokens.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public required decimal? CostIfShort { get; init; }

    /// <summary>With answers of <see cref="RunEstimate.LongCompletion"/> tokens.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public required decimal? CostIfLong { get; init; }

    /// <summary>How long the run takes at least by the limits of the settings; absent without limits.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public required double? SecondsAtLeast { get; init; }

    /// <summary>Which limit that is: <c>requests/min</c> or <c>tokens/min</c>.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public required string? DecidingLimit { get; init; }

    /// <summary>Rows that are larger than the tokens per minute of every deployment.</summary>
    public required long OversizedRows { get; init; }

    /// <summary>With <c>--dedupe</c>: rows that need no call of their own.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public required int? SavedCalls { get; init; }
}
