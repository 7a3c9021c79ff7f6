using System.Text.Json;
using System.Text.Json.Serialization;

namespace LlmPipeline;

/// <summary>What a run has brought: for people, and as JSON.</summary>
internal sealed record RunReport
{
    private RunReport()
    {
    }

    public required string Batch { get; init; }

    public required bool Simulated { get; init; }

    public required int Rows { get; init; }

    public required int CompletedRows { get; init; }

    public required int FailedRows { get; init; }

    /// <summary>Rows that were answered before this run.</summary>
    public required int EarlierRows { get; init; }

    /// <summary>Kind of failure → rows of this run.</summary>
    public required IReadOnlyDictionary<string, int> Failures { get; init; }

    /// <summary>Kind of failure → what the provider said of the first row of that kind.</summary>
    public required IReadOnlyDictionary<string, string> FailureMessages { get; init; }

    /// <summary>Completions of this run that ended where they had the most tokens that they may have.</summary>
    public required long CutOffAnswers { get; init; }

    /// <summary>Completions of this run without any text.</summary>
    public required long EmptyAnswers { get; init; }

    /// <summary>Completions of this run by which the model or a filter refused to answer.</summary>
    public required long RefusedAnswers { get; init; }

    /// <summary>Completions of this run that are JSON for a tolerant reader only.</summary>
    public required long LenientAnswers { get; init; }

    public required long InputTokens { get; init; }

    /// <summary>Those of the input tokens that the provider had cached.</summary>
    public required long CachedTokens { get; init; }

    public required long OutputTokens { get; init; }

    /// <summary>Rows of this run whose answers told no tokens, so that they are counted from request and answer; absent when there are none.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public required long UsageEstimated { get; init; }

    /// <summary>What the calls of this run have cost, in the price table's currency; absent when no price is known.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public required decimal? Cost { get; init; }

    /// <summary>The same of all runs of the batch.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public required decimal? BatchCost { get; init; }

    /// <summary>The most that the batch may cost; absent for no limit.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public required decimal? Budget { get; init; }

    /// <summary>Completions of this run that are a simulator's (<c>llmpipe simulate</c>); absent when there are none.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public required long SimulatedAnswers { get; init; }

    /// <summary>Calls of this process; none of a run that leaves them to a fleet.</summary>
    public required long Calls { get; init; }

    /// <summary>With <c>--dedupe</c>: rows of this run that got a copy of another's answer.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public required int? SavedCalls { get; init; }

    public required long Retries { get; init; }

    public required double Seconds { get; init; }

    public required double CallsPerSecond { get; init; }

    public required string Output { get; init; }

    public required string? Errors { get; init; }

    public static RunReport Of(RunPlan plan, OutputFile output, RunTally tally, RunSpending spending, LlmCaller caller, TimeSpan duration, int missing, int? saved)
    {
        var states = Enumerable.Range(1, plan.Rows).Select(output.StateOf).ToLookup(state => state);
        var deployments = caller.Snapshot();
        var calls = deployments.Sum(d => d.Calls);
        var failed = states[RowState.Failed].Count();
        return new RunReport
        {
            Batch = output.BatchId,
            Simulated = plan.IsSimulated,
            Rows = plan.Rows,
            CompletedRows = states[RowState.Completed].Count(),
            FailedRows = failed,
            EarlierRows = plan.Rows - missing,
            Failures = tally.Failures,
            FailureMessages = tally.FailureMessages,
            CutOffAnswers = tally.Flagged(AnswerFlags.CutOff),
            EmptyAnswers = tally.Flagged(AnswerFlags.Empty),
            RefusedAnswers = tally.Flagged(AnswerFlags.Refused),
            LenientAnswers = tally.Flagged(AnswerFlags.Lenient),
            InputTokens = tally.InputTokens,
            CachedTokens = tally.CachedTokens,
            OutputTokens = tally.OutputTokens,
            UsageEstimated = tally.UsageEstimated,
            SimulatedAnswers = tally.Flagged(AnswerFlags.Simulated),
            Cost = Money.Amount(spending.OfThisRun),
            BatchCost = Money.Amount(spending.InAll),
            Budget = Money.Amount(spending.Budget),
            Calls = calls,
            SavedCalls = saved,
            Retries = deployments.Sum(d => d.Retries),
            Seconds = Math.Round(duration.TotalSeconds, 3),
            CallsPerSecond = duration > TimeSpan.Zero ? Math.Round(calls / duration.TotalSeconds, 1) : 0,
            Output = output.Paths.Csv ?? output.Paths.Results,
            Errors = failed > 0 ? output.Paths.Errors : null,
        };
    }

    /// <summary>What a run has brought whose rows workers have called: of tokens and cost <c>status</c> and <c>result</c> tell.</summary>
    public static RunReport OfFleet(RunPlan plan, OutputFile output, int missing, TimeSpan duration)
    {
        var states = Enumerable.Range(1, plan.Rows).Select(output.StateOf).ToLookup(state => state);
        var failed = states[RowState.Failed].Count();
        return new RunReport
        {
            Batch = output.BatchId,
            Simulated = false,
            Rows = plan.Rows,
            CompletedRows = states[RowState.Completed].Count(),
            FailedRows = failed,
            EarlierRows = plan.Rows - missing,
            Failures = new Dictionary<string, int>(),
            FailureMessages = new Dictionary<string, string>(),
            CutOffAnswers = 0,
            EmptyAnswers = 0,
            RefusedAnswers = 0,
            LenientAnswers = 0,
            InputTokens = 0,
            CachedTokens = 0,
            OutputTokens = 0,
            UsageEstimated = 0,
            SimulatedAnswers = 0,
            Cost = null,
            BatchCost = null,
            Budget = null,
            Calls = 0,
            SavedCalls = null,
            Retries = 0,
            Seconds = Math.Round(duration.TotalSeconds, 3),
            CallsPerSecond = 0,
            Output = output.Paths.Csv ?? output.Paths.Results,
            Errors = failed > 0 ? output.Paths.Errors : null,
        };
    }

    public string ToJson() => JsonSerializer.Serialize(this, RunReportJson.Default.RunReport);
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(RunReport))]
internal sealed partial class RunReportJson : JsonSerializerContext;
