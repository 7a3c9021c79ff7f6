using System.Globalization;
using System.Text.RegularExpressions;

namespace LlmPipeline;

/// <summary>
/// Whether a refusal (429) means that this one request is larger than a limit, so that no waiting helps. OpenAI answers 429
/// <c>rate_limit_exceeded</c> then, and Groq 413 with the same code; only the text distinguishes it from a full minute: "Request too large
/// … Limit 30000, Requested 45411".
/// </summary>
internal static partial class OversizedRequest
{
    /// <param name="code">The error's code; null for none.</param>
    /// <param name="type">Its type; null for none.</param>
    /// <param name="message">Its message; null for none.</param>
    public static bool IsReported(string? code, string? type, string? message) =>
        (code is not null && Codes().IsMatch(code)) || (type is not null && Codes().IsMatch(type))
        || (message is not null && (Words().IsMatch(message) || ExceedsByNumbers(message) || SaysTheRequestAlone(message)));

    /// <summary>Whether a message says so, with any status: a limit of each request, or a prompt that alone is too much.</summary>
    public static bool SaysTheRequestAlone(string message) => OfOneRequest().IsMatch(message);

    // The request alone is more than the limit. Without these numbers a text about a limit is one about the minute.
    private static bool ExceedsByNumbers(string message) =>
        LimitAndRequest().Match(message) is { Success: true } found && Number(found.Groups["request"]) > Number(found.Groups["limit"]);

    private static double Number(Group group)
    {
        var digits = group.Value.Replace(",", "", StringComparison.Ordinal).Replace("_", "", StringComparison.Ordinal);
        return double.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : double.NaN;
    }

    [GeneratedRegex(
        @"(?:request|prompt|input|payload|message|content|entity|body|context|string)s?(?:_\w+){0,2}"
        + "_(?:too_(?:large|long)|length_exceeded|above_max_length)"
        + @"|^tokens_limit_reached$|^max_tokens_exceeded$",
        RegexOptions.IgnoreCase, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Codes();

    // A peak load that allows no large request at the moment is not among them: it passes.
    [GeneratedRegex(
        @"\b(?:request|prompt|input|payload|message|content|context|body)s?(?: (?!rate|count|volume)\w+){0,3} too (?:large|long|big)\b"
        + @"|\bmax(?:imum)?[_ ](?:completion[_ ]|output[_ ]|new[_ ])?(?:tokens?|context)\b(?:(?!\bper\b)[^.]){0,60}"
        + @"\b(?:exceeds?|larger than|greater than|above)\b"
        + @"|\btokens? (?:of (?:the|your) (?:request|prompt|input) )?must be reduced\b|\bmaximum context length\b",
        RegexOptions.IgnoreCase, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Words();

    [GeneratedRegex(
        @"\bper[- ](?:request|prompt|call|message)\b(?:(?!\bper\b)[^.]){0,40}\bexceed"
        + @"|\bexceed(?:s|ed|ing)?\b(?:(?!\bper (?!request|prompt|call|message))[^.]){0,60}\bper[- ](?:request|prompt|call|message)\b"
        + @"|\b(?:prompt|request|input|message)s? (?:alone|by itself|on its own)\b",
        RegexOptions.IgnoreCase, matchTimeoutMilliseconds: 1000)]
    private static partial Regex OfOneRequest();

    [GeneratedRegex(
        @"\blimit(?: of)?:?\s*(?<limit>[\d,_]{1,20})\b.{0,80}?\brequested:?\s*~?(?<request>\d[\d,_]{0,19})\b"
        + @"|\b(?<request>\d[\d,_]{0,19}) (?:input |prompt |total )?tokens? ?(?:>|exceeds?|is (?:more|larger|greater) than)"
        + @"(?: the| your)?(?: maximum| limit)?(?: of)? ?(?<limit>\d[\d,_]{0,19})\b"
        // Both in tokens: a limit of requests is less than the tokens of any prompt.
        + @"|\b(?:limit|maximum|max|at most|up to)\b[^\d]{0,20}(?<limit>\d[\d,_]{0,19}) (?:input |prompt )?tokens\b.{0,80}?"
        + @"\b(?:prompt|request|input|message)s?(?: itself)? (?:has|have|is|contains?|needs?|uses?|requires?)"
        + @" ~?(?<request>\d[\d,_]{0,19})\b"
        + @"|\b(?:prompt|request|input|message)s?(?: itself)? (?:has|have|is|contains?|needs?|uses?|requires?) ~?(?<request>\d[\d,_]{0,19})"
        + @" (?:input |prompt )?tokens\b.{0,60}?\b(?:limit|maximum|max|at most|up to|only)\b[^\d]{0,20}"
        + @"(?<limit>\d[\d,_]{0,19}) (?:input |prompt )?tokens\b",
        RegexOptions.IgnoreCase | RegexOptions.Singleline, matchTimeoutMilliseconds: 1000)]
    private static partial Regex LimitAndRequest();
}
