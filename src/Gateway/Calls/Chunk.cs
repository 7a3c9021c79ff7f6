using System.Runtime.InteropServices;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace LlmPipeline;

/// <summary>What there is to know of an event of a streamed answer.</summary>
/// <param name="Type">The type of a typed event, as responses have them; null for a chunk.</param>
/// <param name="HasText">Whether it carries a part of the answer, and not only a role or nothing.</param>
/// <param name="IsUsage">Whether it is the chunk after the last choice that tells the tokens and no more.</param>
/// <param name="Ends">The choices that end with it; of typed events: one, when the whole answer does.</param>
internal sealed record Chunk(string? Type, bool HasText, bool IsUsage, IReadOnlyList<int> Ends)
{
    private static readonly JsonDocumentOptions Depth = new() { MaxDepth = 512 };

    /// <param name="data">A JSON object: a worker passes on nothing else.</param>
    public static Chunk Read(string data)
    {
        using var json = Parse(Encoding.UTF8.GetBytes(data));
        var root = json.RootElement;
        if (root.ValueKind != JsonValueKind.Object)
            return new Chunk(null, true, false, []);
        // Some servers give chunks a type too.
        var hasChoices = root.TryGetProperty("choices"u8, out var choices);
        if (!hasChoices && root.TryGetProperty("type"u8, out var type) && type.ValueKind == JsonValueKind.String)
        {
            var name = type.GetString()!;
            return new Chunk(name, name.EndsWith(".delta", StringComparison.Ordinal), false, name is "response.completed" or "response.incomplete" or "response.failed" ? [0] : []);
        }

        var tellsUsage = root.TryGetProperty("usage"u8, out var told) && told.ValueKind == JsonValueKind.Object;
        if (choices.ValueKind != JsonValueKind.Array)
            return new Chunk(null, !hasChoices && !tellsUsage, tellsUsage, []);
        var usage = choices.GetArrayLength() == 0 && tellsUsage;
        var list = choices.EnumerateArray().Where(choice => choice.ValueKind == JsonValueKind.Object).ToList();
        return new Chunk(null, list.Exists(HasTextIn), usage, [.. list.Where(IsLast).Select(Index)]);
    }

    /// <summary>A whole answer as the one event of a stream.</summary>
    /// <param name="path">The path of the call.</param>
    /// <param name="body">The answer that a call without stream would have had.</param>
    /// <param name="usage">Whether the tokens are told too.</param>
    /// <returns>The event's name, null for none, and its data; null for an answer that cannot be put into JSON.</returns>
    public static (string? Name, string Data)? OfWhole(string path, ReadOnlyMemory<byte> body, bool usage)
    {
        using var whole = JsonDocument.Parse(LenientJson.AsJson(body, Depth.MaxDepth), Depth);
        return whole.RootElement.ValueKind == JsonValueKind.Object ? new WholeAsEvent(usage).Of(path, whole.RootElement) : null;
    }

    /// <summary>How many ends (<see cref="Ends"/>) the events of a whole answer have told.</summary>
    public static int EndsOf(string path, ReadOnlyMemory<byte> body)
    {
        using var whole = Parse(body);
        return path == "/v1/responses" ? 1
            : whole.RootElement.ValueKind == JsonValueKind.Object
                && whole.RootElement.TryGetProperty("choices"u8, out var choices)
                && choices.ValueKind == JsonValueKind.Array ? choices.EnumerateArray().Count(IsLast)
            : 0;
    }

    private static JsonDocument Parse(ReadOnlyMemory<byte> json) =>
        JsonDocument.Parse(LenientJson.WithoutHalves(LenientJson.AsJson(json, Depth.MaxDepth).Span), Depth);

    private static bool HasTextIn(JsonElement choice) =>
        (choice.TryGetProperty("text"u8, out var text) && IsSomething(text))
        || (choice.TryGetProperty("delta"u8, out var delta) && delta.ValueKind == JsonValueKind.Object && delta.EnumerateObject().Any(field => !field.NameEquals("role"u8) && IsSomething(field.Value)));

    private static bool IsLast(JsonElement choice) =>
        choice.ValueKind == JsonValueKind.Object
            && choice.TryGetProperty("finish_reason"u8, out var reason)
            && reason.ValueKind == JsonValueKind.String
            && IsSomething(reason);

    private static int Index(JsonElement choice) =>
        choice.TryGetProperty("index"u8, out var index) && index.ValueKind == JsonValueKind.Number && index.TryGetInt32(out var number)
            ? number
            : 0;

    private static bool IsSomething(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Null => false,
        // As it is written: half of a surrogate pair is no text yet.
        JsonValueKind.String => JsonMarshal.GetRawUtf8Value(value).Length > 2,
        JsonValueKind.Array => value.GetArrayLength() > 0,
        _ => true,
    };
}
