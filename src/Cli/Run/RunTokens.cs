using System.Text.Json;
using Microsoft.SemanticKernel;
using Microsoft.SemanticKernel.Connectors.OpenAI;

namespace LlmPipeline;

/// <summary>Counts what rows are in tokens, without calling anybody.</summary>
internal sealed class RunTokens(RunPlan plan)
{
    private static readonly string[] Limits = ["max_tokens", "max_completion_tokens", "max_output_tokens"];
    private readonly Kernel _kernel = new();
    private readonly long? _functionLimit = (plan.Function?.SettingsWith(plan.Settings).Execution as OpenAIPromptExecutionSettings)?.MaxTokens;

    /// <returns>The prompt's tokens, and the most that the completion may have; null when the row does not say.</returns>
    public async Task<(long Prompt, long? Limit)> CountAsync(InputRow row, CancellationToken cancellationToken)
    {
        if (row.Variables is null)
            return Count(row.Model, row.Body);
        var tokens = (long)TokenCounter.Count(row.Model, plan.Options.System);
        foreach (var message in await plan.Function!.RenderAsync(_kernel, row.Variables, cancellationToken).ConfigureAwait(false))
            tokens += TokenCounter.Count(row.Model, message.Content);
        return (tokens, _functionLimit);
    }

    /// <summary>Every text of a body but the names of its fields.</summary>
    private static (long Prompt, long? Limit) Count(string model, ReadOnlyMemory<byte> body)
    {
        // Half a surrogate pair has no text, and counts as the U+FFFD that a provider makes of it.
        var reader = new Utf8JsonReader(LenientJson.WithoutHalves(body.Span), new JsonReaderOptions { MaxDepth = 256 });
        var (tokens, limit, field) = (0L, (long?)null, "");
        while (reader.Read())
        {
            switch (reader.TokenType)
            {
                case JsonTokenType.PropertyName when reader.CurrentDepth == 1:
                    field = reader.GetString()!;
                    break;
                case JsonTokenType.String when reader.CurrentDepth > 1 || field is "input" or "prompt" or "instructions":
                    tokens += TokenCounter.Count(model, reader.GetString());
                    break;
                case JsonTokenType.Number when reader.CurrentDepth == 1 && Limits.Contains(field) && reader.TryGetInt64(out var number) && number > 0:
                    limit = number;
                    break;
            }
        }

        return (tokens, limit);
    }
}
