using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace LlmPipeline;

/// <summary>Generated input, and what became of it.</summary>
internal static class Rows
{
    private static readonly JsonSerializerOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Rows for the function solve-math.</summary>
    public static IEnumerable<string> Questions(int count) =>
        Enumerable.Range(1, count).Select(n => Json(new { question = $"Ann has {n} apples and gets {n % 7} more. How many has she?", answer = $"{n + (n % 7)}" }));

    /// <summary>OpenAI Batch lines.</summary>
    public static IEnumerable<string> BatchLines(int count) =>
        Enumerable.Range(1, count).Select(n => Json(new
        {
            custom_id = $"row-{n}",
            method = "POST",
            url = "/v1/chat/completions",
            body = new { model = "gpt-4o-mini", messages = new[] { new { role = "user", content = $"What is {n} + {n}?" } } },
        }));

    public static string Json(object value) => JsonSerializer.Serialize(value, Relaxed);

    /// <summary>The custom_ids of output lines, each of which must be whole JSON.</summary>
    public static IReadOnlyList<string> CustomIds(IEnumerable<string> lines) => [.. lines.Select(line => (string)JsonNode.Parse(line)!["custom_id"]!)];

    /// <summary>Generated names <c>line-1</c> … in order.</summary>
    public static IEnumerable<string> LineNames(int count) => Enumerable.Range(1, count).Select(n => $"line-{n}");
}
