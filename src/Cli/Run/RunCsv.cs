using System.Runtime.CompilerServices;
using System.Text.Json;

namespace LlmPipeline;

/// <summary>The table of a run: the input's columns, then answer and error.</summary>
internal static class RunCsv
{
    /// <param name="input">The rows.</param>
    /// <param name="summary">What their check found.</param>
    /// <param name="paths">The files.</param>
    /// <param name="answerFields">Fields of the answers that get columns of their own.</param>
    /// <param name="isExcelSafe">Whether formulas are made texts.</param>
    /// <param name="cancellationToken">Ends the writing.</param>
    public static async Task WriteAsync(
        InputFile input, InputSummary summary, OutputPaths paths, IReadOnlyList<string> answerFields, bool isExcelSafe, CancellationToken cancellationToken = default)
    {
        var form = new CsvForm
        {
            Delimiter = paths.IsTabTable ? '\t' : summary.CsvDelimiter,
            HasByteOrderMark = summary.CsvHeader is not null && summary.HasByteOrderMark,
            IsExcelSafe = isExcelSafe,
            AnswerFields = answerFields,
        };
        var header = summary.CsvHeader?.ToList() ?? await HeaderAsync(input, summary, cancellationToken).ConfigureAwait(false);
        await CsvAnswers.WriteAsync(paths, header, RowsAsync(input, header, cancellationToken), cancellationToken, form).ConfigureAwait(false);
    }

    private static async Task<List<string>> HeaderAsync(InputFile input, InputSummary summary, CancellationToken cancellationToken)
    {
        if (summary.Kind != InputKind.Rows)
            return ["custom_id", "prompt"];
        var header = new List<string>();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        await foreach (var row in input.ReadAsync(cancellationToken).ConfigureAwait(false))
            header.AddRange(row.FieldNames!.Where(seen.Add));
        return header;
    }

    private static async IAsyncEnumerable<(int Row, IReadOnlyList<string> Cells)> RowsAsync(
        InputFile input, IReadOnlyList<string> header, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var row in input.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            yield return (row.Number, row.Cells is { } cells ? cells : row.Variables is { } variables
                ? [.. header.Select(name => variables.GetValueOrDefault(name, ""))]
                : [row.CustomId, Prompt(row.Body)]);
        }
    }

    /// <summary>The text of the last message, or what stands in its place.</summary>
    private static string Prompt(ReadOnlyMemory<byte> body)
    {
        using var json = JsonDocument.Parse(LenientJson.WithoutHalves(body.Span));
        var root = json.RootElement;
        var found = root.TryGetProperty("messages", out var messages) && messages.ValueKind == JsonValueKind.Array && messages.GetArrayLength() > 0 && messages[messages.GetArrayLength() - 1].TryGetProperty("content", out var content)
            ? content
            : root.TryGetProperty("input", out var input) ? input
            : root.TryGetProperty("prompt", out var prompt) ? prompt
            : default;
        return found.ValueKind switch
        {
            JsonValueKind.String => found.GetString()!,
            JsonValueKind.Undefined => "",
            _ => found.GetRawText(),
        };
    }
}
