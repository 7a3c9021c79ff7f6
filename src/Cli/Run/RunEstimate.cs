using System.Text.Json;

namespace LlmPipeline;

/// <summary>What rows will take, told before anybody is called.</summary>
/// <param name="Prompt">Their prompt tokens.</param>
/// <param name="Completion">Their completion tokens, see <see cref="TokenCounter.Expect"/>.</param>
/// <param name="Nanos">What both cost, nothing being cached; null when a model of theirs has no price.</param>
internal sealed record RunEstimate(long Prompt, long Completion, decimal? Nanos)
{
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
        var prices = plan.Summary.Models.Keys.ToDictionary(model => model, model => PriceOf(plan, model));
        var (prompt, completion, nanos, count) = (0L, 0L, (decimal?)0, 0);
        var tokens = new RunTokens(plan);
        await foreach (var row in plan.Input.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            if (!isWanted(row.Number))
                continue;
            var usage = await tokens.CountAsync(row, cancellationToken).ConfigureAwait(false);
            prompt += usage.Input;
            completion += usage.Output;
            nanos += prices[row.Model] is { } price ? price.Nanos(usage) ?? 0 : null;
            if (++count == most)
                break;
        }

        return new RunEstimate(prompt, completion, nanos);
    }

    // The deployment that takes the first calls.
    private static TokenPrice? PriceOf(RunPlan plan, string model) =>
        plan.Llm.For(model).OrderBy(deployment => deployment.Priority).Select(deployment => plan.Llm.PriceOf(deployment, model)).FirstOrDefault();
}
