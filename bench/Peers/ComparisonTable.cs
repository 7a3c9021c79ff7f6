using System.Text.Json;

namespace LlmPipeline.Bench;

/// <summary>Comparisons as markdown, and as JSON.</summary>
internal static class ComparisonTable
{
    public const string Head =
        """
        | measure | ours | others | ratio | target | reached |
        |---|---:|---|---:|---|---|
        """;

    public static string Row(Comparison row) => "| " + string.Join(" | ", new[]
    {
        row.Measure + (row.Note is { } note ? $" ({note})" : ""),
        row.Ours.ToString(),
        string.Join("; ", row.Peers.Select(peer => $"{peer.Name}: {peer.Figure}")),
        row.Ratio is { } ratio ? Figure.Text(ratio) + " ×" : "–",
        row.Target?.ToString() ?? "–",
        row.Target is null ? "–" : row.Reached switch { true => "yes", false => "**no**", null => "not measured" },
    }.Select(cell => cell.Replace("|", "\\|", StringComparison.Ordinal).ReplaceLineEndings(" "))) + " |";

    public static string Json(Comparison row) => JsonSerializer.Serialize(new
    {
        measure = row.Measure,
        ours = row.Ours.Value,
        ours_missing = row.Ours.Why,
        peers = row.Peers.ToDictionary(peer => peer.Name, peer => new { value = peer.Figure.Value, missing = peer.Figure.Why }),
        ratio = row.Ratio,
        target = row.Target?.ToString(),
        reached = row.Reached,
        note = row.Note,
    });
}
