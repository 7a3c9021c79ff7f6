namespace LlmPipeline;

/// <summary>What rows will take, estimated before anybody is called: with short, usual and long completions.</summary>
/// <param name="Prompt">Their prompt tokens.</param>
/// <param name="Completion">Their completion tokens, <see cref="TokenCounter.UsualCompletion"/> each.</param>
/// <param name="Nanos">What both cost, nothing being cached; null when a model of theirs has no price.</param>
internal sealed record RunEstimate(long Prompt, long Completion, decimal? Nanos)
{
    /// <summary>Tokens of a completion that is short, and of one that is long.</summary>
    public const int ShortCompletion = 64, LongCompletion = 1024;

    /// <summary>The cost with short completions.</summary>
    public decimal? NanosIfShort { get; init; }

    /// <summary>The cost with long completions.</summary>
    public decimal? NanosIfLong { get; init; }

    /// <summary>Rows that were counted.</summary>
    public long Rows { get; init; }

    /// <summary>Rows that alone are larger than the tokens per minute of every deployment.</summary>
    public long Oversized { get; init; }

    /// <summary>The first of them.</summary>
    public string? FirstOversized { get; init; }

    /// <summary>In words, with what is assumed.</summary>
    public string Text
    {
        get
        {
            var completion = Completion == 0 ? "no completion tokens" : $"{RunConsole.Text(Completion)} completion tokens ({Assumption})";
            return $"about {RunConsole.Text(Prompt)} prompt tokens, {completion}, cost {(Nanos is { } nanos ? "about " + Money.About(nanos) : "unknown")}";
        }
    }

    private static string Assumption =>
        $"assumed: {TokenCounter.UsualCompletion} an answer, or a row's limit where that is lower";

    // A sample of a large file is enough for a line that says "about".
    private const int RowsOfSample = 200;

    /// <summary>Whether any model of the plan has a price.</summary>
    public static bool HasPrices(RunPlan plan) => plan.Summary.Models.Keys.Any(model => PriceOf(plan, model) is not null);

    /// <summary>The models of the plan, those to fall back to included, that have no price on some deployment.</summary>
    public static IEnumerable<string> Unpriced(RunPlan plan) =>
        plan.Summary.Models.Keys.Concat(plan.Llm.Fallbacks.SelectMany(fallback => fallback.To)).Distinct(StringComparer.Ordinal).Where(model => !plan.Llm.For(model).Any() || plan.Llm.For(model).Any(deployment => plan.Llm.PriceOf(deployment, model) is null));

    /// <summary>Rows of the plan, all of them counted.</summary>
    public static Task<RunEstimate> OfAllAsync(RunPlan plan, Func<int, bool> isWanted, CancellationToken cancellationToken) => CountAsync(plan, int.MaxValue, isWanted, cancellationToken);

    /// <summary>Rows of the plan, judged by the first of them.</summary>
    public static async Task<RunEstimate> OfSampleAsync(RunPlan plan, Func<int, bool> isWanted, int rows, CancellationToken cancellationToken)
    {
        var sample = await CountAsync(plan, RowsOfSample, isWanted, cancellationToken).ConfigureAwait(false);
        var share = (decimal)rows / Math.Max(1, Math.Min(rows, RowsOfSample));
        return new RunEstimate((long)(sample.Prompt * share), (long)(sample.Completion * share), sample.Nanos * share);
    }

    private static async Task<RunEstimate> CountAsync(RunPlan plan, int most, Func<int, bool> isWanted, CancellationToken cancellationToken)
    {
        foreach (var model in plan.Summary.Models.Keys)
            await TokenCounter.LoadAsync(RunTokens.ProviderModel(plan, model)).ConfigureAwait(false);
        var models = plan.Summary.Models.Keys.ToDictionary(
            model => model, model => (Price: PriceOf(plan, model), Largest: LargestRow(plan, model)));
        var (prompt, completion, count, oversized, firstOversized) = (0L, 0L, 0, 0L, (string?)null);
        var (usual, brief, extended) = ((decimal?)0, (decimal?)0, (decimal?)0);
        var tokens = new RunTokens(plan);
        await foreach (var row in plan.Input.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            if (!isWanted(row.Number))
                continue;
            var (price, largest) = models[row.Model];
            var counted = await tokens.CountAsync(row, cancellationToken).ConfigureAwait(false);
            var usage = counted.With(TokenCounter.UsualCompletion);
            prompt += usage.Input;
            completion += usage.Output;
            usual += Cost(price, usage);
            brief += Cost(price, counted.With(ShortCompletion));
            extended += Cost(price, counted.With(LongCompletion));
            if (counted.With(counted.Limit ?? 0).Total > largest)
            {
                oversized++;
                firstOversized ??= row.CustomId;
            }

            if (++count == most)
                break;
        }

        return new RunEstimate(prompt, completion, usual)
        {
            NanosIfShort = brief,
            NanosIfLong = extended,
            Rows = count,
            Oversized = oversized,
            FirstOversized = firstOversized,
        };
    }

    private static decimal? Cost(TokenPrice? price, TokenUsage usage) => price is null ? null : price.Nanos(usage) ?? 0;

    // Tokens per minute of the deployment that allows the most: a provider refuses a call that is larger.
    private static long LargestRow(RunPlan plan, string model) =>
        plan.Llm.For(model).Max(deployment => (long?)deployment.TokensPerMinute ?? long.MaxValue);

    // The deployment that takes the first calls.
    private static TokenPrice? PriceOf(RunPlan plan, string model) =>
        plan.Llm.For(model).OrderBy(deployment => deployment.Priority).Select(deployment => plan.Llm.PriceOf(deployment, model)).FirstOrDefault();
}
