using System.Text;
using System.Text.RegularExpressions;

namespace LlmPipeline;

/// <summary>
/// Recognises a request that is refused for one of its fields. OpenAI and Azure name it in <c>param</c>, with the code
/// <c>unsupported_parameter</c> or <c>unsupported_value</c>; Mistral and FastAPI in <c>loc</c>, with <c>extra_forbidden</c>; others in
/// their sentence alone.
/// </summary>
internal static partial class RefusedField
{
    private const int LongestBody = 16 * 1024;

    /// <summary>The field; null where the request is not refused, or for something else.</summary>
    /// <param name="answer">The answer.</param>
    /// <param name="fields">The fields that it may be.</param>
    public static string? Find(HttpAnswer answer, IEnumerable<string> fields)
    {
        if (answer.Status is not (400 or 422) || answer.Body.Length is 0 or > LongestBody)
            return null;
        var text = Encoding.UTF8.GetString(answer.Body.Span);
        if (!Refusal().IsMatch(text))
            return null;
        var sent = fields.ToList();
        if (ProviderError.Read(answer.Body).Param is { } param && sent.Contains(param))
            return param;
        // "Unsupported parameter: 'max_tokens' … Use 'max_completion_tokens' instead": the first is meant.
        return sent.Select(name => (Name: name, At: PlaceOf(name, text))).Where(one => one.At >= 0)
            .OrderBy(one => one.At).FirstOrDefault().Name;
    }

    // As a word of its own: "top_p" is none of "top_provider".
    private static int PlaceOf(string name, string text)
    {
        for (var at = text.IndexOf(name, StringComparison.Ordinal); at >= 0; at = text.IndexOf(name, at + 1, StringComparison.Ordinal))
        {
            var end = at + name.Length;
            if ((at == 0 || !IsPart(text[at - 1])) && (end == text.Length || !IsPart(text[end])))
                return at;
        }

        return -1;
    }

    private static bool IsPart(char c) => char.IsAsciiLetterOrDigit(c) || c == '_';

    // https://github.com/microsoft/vscode/issues/253673 (unsupported_value), https://github.com/appatalks/eva-agent/issues/83
    // (unsupported_parameter), https://github.com/editor-code-assistant/eca/issues/231 (extra_forbidden).
    [GeneratedRegex(
        @"unsupported|not (?:currently )?support|n't support|unrecognized|extra_forbidden|not permitted|not allowed|deprecated|unknown (?:name|field|parameter|argument|property)",
        RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex Refusal();
}
