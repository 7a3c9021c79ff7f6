using System.Text.Json;

namespace LlmPipeline;

/// <summary>What a provider says of an error that came with HTTP 200, or in a stream.</summary>
internal static class ProviderSentence
{
    private static readonly JsonDocumentOptions Depth = new() { MaxDepth = 512 };

    /// <summary>The sentence in a body; null when there is none, or when it cannot be read.</summary>
    public static string? Of(ReadOnlyMemory<byte> body)
    {
        if (LenientJson.ToDecodable(body, out _) is not { } json || !CallAnswer.IsJson(json.Span))
            return null;
        using var document = JsonDocument.Parse(json, Depth);
        var root = document.RootElement;
        if (root.ValueKind == JsonValueKind.Array && root.GetArrayLength() > 0)
            root = root[0];
        return Message(root, "error") ?? (First(root, "choices") is { } choice ? Message(choice, "error") : null) ?? Text(root, "message");
    }

    private static string? Message(JsonElement element, string name) =>
        Text(element, name)
        ?? (element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var error) ? Text(error, "message") : null);

    private static JsonElement? First(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var items)
        && items.ValueKind == JsonValueKind.Array && items.GetArrayLength() > 0
            ? items[0]
            : null;

    private static string? Text(JsonElement element, string name)
    {
        if (element.ValueKind != JsonValueKind.Object || !element.TryGetProperty(name, out var text)
            || text.ValueKind != JsonValueKind.String)
            return null;
        // What is left of half a surrogate pair says nothing.
        return text.GetString() is { } sentence && sentence.AsSpan().ContainsAnyExcept('\uFFFD') ? sentence : null;
    }
}
