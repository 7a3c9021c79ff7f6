using System.Text;
using Microsoft.SemanticKernel;

namespace LlmPipeline;

/// <summary>Prompts as they would be sent, for <c>--check --show</c>.</summary>
internal static class RunPreview
{
    /// <summary>Prints the first rows: the messages of a prompt, or a request's path and body.</summary>
    public static async Task PrintAsync(RunPlan plan, int rows, TextWriter writer, CancellationToken cancellationToken)
    {
        var kernel = new Kernel();
        await foreach (var row in plan.Input.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            if (row.Number > rows)
                break;
            await writer.WriteLineAsync($"--- {Printable(row.CustomId)}, line {row.Line}, {Printable(row.Model)}").ConfigureAwait(false);
            if (row.Variables is null)
            {
                await writer.WriteLineAsync($"{row.Url} {Printable(Encoding.UTF8.GetString(row.Body.Span))}").ConfigureAwait(false);
                continue;
            }

            if (plan.Options.System is { } system)
                await writer.WriteLineAsync($"system: {Printable(system)}").ConfigureAwait(false);
            foreach (var message in await plan.Function!.RenderAsync(kernel, row.Variables, cancellationToken).ConfigureAwait(false))
                await writer.WriteLineAsync($"{message.Role.Label}: {Printable(message.Content ?? "")}").ConfigureAwait(false);
        }
    }

    private static string Printable(string text) => SafeText.Printable(text, keepLineFeeds: true);
}
