using System.Text.Json;

namespace LlmPipeline;

/// <summary>
/// Where an error keeps its code and its sentence. Beside OpenAI's <c>code</c> and <c>message</c> there are Baidu's <c>error_code</c> and
/// <c>error_msg</c>, AWS' <c>__type</c>, and objects around them: MiniMax' <c>base_resp</c>, iFlytek's <c>header</c>, Tencent's
/// <c>Response.Error</c>.
/// </summary>
internal static class ErrorFields
{
    private static readonly string[] Messages =
    [
        "message", "msg", "error_msg", "error_message", "status_msg", "errmsg", "errorMessage", "ErrorMessage", "Message",
        "error_description", "title",
    ];

    private static readonly string[] Codes =
        ["code", "error_code", "status_code", "statusCode", "errcode", "errorCode", "ErrorCode", "Code", "__type"];

    private const int DeepestNesting = 2;

    /// <summary>The sentence; null for none.</summary>
    public static string? Message(JsonElement error) => First(error, Messages);

    /// <summary>The code; null for none.</summary>
    public static string? Code(JsonElement error) => First(error, Codes) is { } code ? code[(code.LastIndexOf('#') + 1)..] : null;

    /// <summary>A field that is a text with something in it, or a number; null for another.</summary>
    public static string? Text(JsonElement element, string name) => !element.TryGetProperty(name, out var value)
        ? null
        : value.ValueKind switch
        {
            JsonValueKind.String => value.GetString() is { Length: > 0 } text ? text : null,
            JsonValueKind.Number => value.GetRawText(),
            _ => null,
        };

    /// <summary>
    /// The object of a body that has both a sentence and a code which is none of success: the body itself, or one inside it. Null where
    /// there is none.
    /// </summary>
    public static JsonElement? Find(JsonElement body) => Find(body, 0);

    private static JsonElement? Find(JsonElement element, int depth)
    {
        if (element.ValueKind != JsonValueKind.Object)
            return null;
        if (Message(element) is not null && Code(element) is { } code && !IsSuccess(code))
            return element;
        if (depth == DeepestNesting)
            return null;
        foreach (var field in element.EnumerateObject())
        {
            if (Find(field.Value, depth + 1) is { } found)
                return found;
        }

        return null;
    }

    private static bool IsSuccess(string code) =>
        code is "0" or "200" or "OK" || code.Equals("success", StringComparison.OrdinalIgnoreCase);

    private static string? First(JsonElement error, string[] names)
    {
        foreach (var name in names)
        {
            if (Text(error, name) is { } text)
                return text;
        }

        return null;
    }
}
