using System.Text.Json;

namespace LlmPipeline;

/// <summary>Counts what a run's prompts are in tokens, without calling anybody.</summary>
internal static class RunTokens
{
    public static async Task<long> CountAsync(RunPlan plan, CancellationToken cancellationToken = default)
    {
        foreach (var model in plan.Summary.Models.Keys)
            await TokenCounter.LoadAsync(model).ConfigureAwait(false);
        var tokens = 0L;
        var kernel = new Microsoft.SemanticKernel.Kernel();
        await foreach (var row in plan.Input.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            if (row.Variables is null)
            {
                tokens += Count(row.Model, row.Body);
                continue;
            }

            foreach (var message in await plan.Function!.RenderAsync(kernel, row.Variables, cancellationToken).ConfigureAwait(false))
                tokens += TokenCounter.Count(row.Model, message.Content);
            tokens += TokenCounter.Count(row.Model, plan.Options.System);
        }

        return tokens;
    }

    /// <summary>Every text of a body but the names of its fields.</summary>
    private static long Count(string model, ReadOnlyMemory<byte> body)
    {
        var reader = new Utf8JsonReader(body.Span, new JsonReaderOptions { MaxDepth = 256 });
        var tokens = 0L;
        while (reader.Read())
        {
            if (reader.TokenType == JsonTokenType.String && reader.CurrentDepth > 1)
                tokens += TokenCounter.Count(model, reader.GetString());
        }

        return tokens;
    }
}
