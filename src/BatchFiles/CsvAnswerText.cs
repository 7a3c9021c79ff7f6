using System.Runtime.InteropServices;
using System.Text.Json;

namespace LlmPipeline;

/// <summary>The text of an output line, for a table or for people: the model's answer, or what went wrong.</summary>
public static class CsvAnswerText
{
    /// <summary>The text of a line.</summary>
    /// <param name="line">A batch output line.</param>
    public static string Of(JsonElement line) => Decodable(line, TextOf);

    /// <summary>The text of a provider's answer.</summary>
    /// <param name="body">The body of a completion.</param>
    public static string OfBody(JsonElement body) => Decodable(body, Answer);

    /// <summary>The texts of a line: one for each choice of a chat or a completion, else the one of <see cref="Of"/>.</summary>
    /// <param name="line">A batch output line.</param>
    public static IReadOnlyList<string> AllOf(JsonElement line) => Decodable(line, TextsOf);

    private static T Decodable<T>(JsonElement json, Func<JsonElement, T> read)
    {
        try
        {
            return read(json);
        }
        catch (InvalidOperationException)
        {
            // The name of a field holds half a surrogate pair: .NET cannot look for any other beside it.
            var whole = LenientJson.WithoutHalves(JsonMarshal.GetRawUtf8Value(json));
            using var decodable = JsonDocument.Parse(whole, new JsonDocumentOptions { MaxDepth = int.MaxValue });
            return read(decodable.RootElement);
        }
    }

    /// <summary>The fields of an answer that is a JSON object, as a table shows them: texts as they are, other values as JSON, null as nothing.</summary>
    /// <param name="answer">The answer; also within a fence of three backticks.</param>
    /// <param name="names">The fields.</param>
    internal static IReadOnlyList<string> Fields(string answer, IReadOnlyList<string> names)
    {
        if (names.Count == 0)
            return [];
        string text = answer.Trim();
        if (text.StartsWith("```", StringComparison.Ordinal) && text.EndsWith("```", StringComparison.Ordinal) && text.IndexOf('\n', StringComparison.Ordinal) is > 0 and var line)
            text = text[line..^3];
        try
        {
            using JsonDocument json = JsonDocument.Parse(text);
            return [.. names.Select(name => Find(json.RootElement, name) is { ValueKind: not JsonValueKind.Null } field ? Whole(field) : "")];
        }
        catch (JsonException)
        {
            // A refusal or the like: it stands in the column of the answer.
            return [.. names.Select(_ => "")];
        }
    }

    private static IReadOnlyList<string> TextsOf(JsonElement line)
    {
        if (Find(line, "error") is { ValueKind: JsonValueKind.Object } || Find(line, "response") is not { } response || Find(response, "body") is not { } body
            || Find(body, "choices") is not { ValueKind: JsonValueKind.Array } choices || choices.GetArrayLength() < 2)
            return [TextOf(line)];
        return [.. choices.EnumerateArray().Select(choice => OfChoice(choice) ?? choice.GetRawText())];
    }

    private static string TextOf(JsonElement line)
    {
        if (Find(line, "error") is { ValueKind: JsonValueKind.Object } error)
            return Text(error, "message") ?? Text(error, "code") ?? error.GetRawText();
        if (Find(line, "response") is not { } response || Find(response, "body") is not { } body)
            return "";
        int status = Find(response, "status_code") is { ValueKind: JsonValueKind.Number } code && code.TryGetInt32(out int value) ? value : 0;
        return status is >= 200 and <= 299 ? Answer(body) : Error(body, status);
    }

    /// <summary>The answer in any of the four shapes; a body of another shape is shown whole.</summary>
    private static string Answer(JsonElement body) =>
        OfChoice(First(body, "choices")) ?? OfOutput(Find(body, "output")) ?? OfVectors(Find(body, "data")) ?? Text(body, "output_text") ?? Whole(body);

    /// <summary>OpenAI says <c>error.message</c>; servers after its model also <c>error</c>, <c>message</c> or <c>detail</c> as texts, and proxies a page.</summary>
    private static string Error(JsonElement body, int status)
    {
        string? said = (Find(body, "error") is { } error ? Text(error, "message") : null)
            ?? Text(body, "error") ?? Text(body, "message") ?? Text(body, "detail") ?? Whole(body);
        return said.Length > 0 ? said : $"HTTP {status}";
    }

    /// <summary>Chat completions and completions. A model that calls a tool or refuses has no content.</summary>
    private static string? OfChoice(JsonElement? choice)
    {
        if (choice is not { } first)
            return null;
        if (Find(first, "message") is not { ValueKind: JsonValueKind.Object } message)
            return Text(first, "text");
        return Find(message, "content") switch
        {
            { ValueKind: JsonValueKind.String } content => String(content),
            { ValueKind: JsonValueKind.Array } parts => Joined(parts, part => Text(part, "text")),
            _ => Text(message, "refusal") ?? (Find(message, "tool_calls") is { ValueKind: JsonValueKind.Array } calls ? calls.GetRawText() : ""),
        };
    }

    /// <summary>Responses: the texts of all messages, as the SDKs join them to <c>output_text</c>.</summary>
    private static string? OfOutput(JsonElement? output) =>
        output is { ValueKind: JsonValueKind.Array } items
            ? Joined(items, item => Find(item, "content") is { ValueKind: JsonValueKind.Array } parts ? Joined(parts, part => Text(part, "text") ?? Text(part, "refusal")) : null)
            : null;

    /// <summary>Embeddings: the vector as JSON, or, of several inputs, the vectors.</summary>
    private static string? OfVectors(JsonElement? data)
    {
        if (data is not { ValueKind: JsonValueKind.Array } items || items.GetArrayLength() == 0)
            return null;
        var vectors = new List<string>();
        foreach (JsonElement item in items.EnumerateArray())
        {
            if (Find(item, "embedding") is not { } vector)
                return null;
            vectors.Add(items.GetArrayLength() == 1 ? Whole(vector) : vector.GetRawText());
        }

        return vectors.Count == 1 ? vectors[0] : $"[{string.Join(',', vectors)}]";
    }

    private static string Joined(JsonElement items, Func<JsonElement, string?> textOf) => string.Concat(items.EnumerateArray().Select(textOf));

    private static string Whole(JsonElement element) => element.ValueKind == JsonValueKind.String ? String(element) : element.GetRawText();

    private static string? Text(JsonElement element, string name) => Find(element, name) is { ValueKind: JsonValueKind.String } text ? String(text) : null;

    private static JsonElement? First(JsonElement element, string name) =>
        Find(element, name) is { ValueKind: JsonValueKind.Array } items && items.GetArrayLength() > 0 ? items[0] : null;

    private static JsonElement? Find(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out JsonElement found) ? found : null;

    /// <summary>Half a surrogate pair, as a token limit may leave it in an answer, is no text for .NET: then the JSON text without its quotes is shown.</summary>
    private static string String(JsonElement text)
    {
        try
        {
            return text.GetString()!;
        }
        catch (InvalidOperationException)
        {
            return text.GetRawText()[1..^1];
        }
    }
}
