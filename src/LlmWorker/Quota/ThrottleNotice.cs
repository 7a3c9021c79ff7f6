using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace LlmPipeline;

/// <summary>
/// Which limit refused a call, and for how long, according to the refusal: its headers, and where these give no wait its body, as with
/// Groq's and OpenAI's daily limits, Gemini's <c>RetryInfo</c>, OpenRouter's <c>metadata.headers</c>.
/// </summary>
/// <param name="Wait">How long; null when that is not said.</param>
/// <param name="Limit">Which limit, in words of this program only: <c>tokens per day</c>; null when that is not said.</param>
internal sealed partial record ThrottleNotice(TimeSpan? Wait, string? Limit)
{
    /// <summary>Nothing is said.</summary>
    public static readonly ThrottleNotice None = new(null, null);

    private const int LongestBody = 32 * 1024;
    private const int DeepestNesting = 3;
    private const int MostTexts = 200;

    // How far from its time the unit may be.
    private const int UnitBefore = 90;
    private const int UnitBehind = 60;

    /// <summary>
    /// What a refusal says: the wait of <c>Retry-After</c>, else until what ran out is there again, else what the body says, else of a 429
    /// until the first limit resets of which the headers do not say what is left.
    /// </summary>
    public static ThrottleNotice Of(HttpAnswer answer)
    {
        var (limits, body) = (answer.Limits, Read(answer.Body, answer.Limits.At ?? answer.Started));
        var exhausted = limits.Exhausted;
        var wait = limits.RetryAfter ?? exhausted?.Wait ?? body.Wait;
        var alone = wait is null && answer.Status == 429 ? limits.ResetAlone : null;
        return new ThrottleNotice(wait ?? alone?.Wait, body.Limit ?? exhausted?.Limit ?? alone?.Limit);
    }

    /// <summary>Reads a refusal's body, JSON or not.</summary>
    /// <param name="body">As received.</param>
    /// <param name="now">The time of the answer, by the server's clock where that is known.</param>
    public static ThrottleNotice Read(ReadOnlyMemory<byte> body, DateTimeOffset now)
    {
        var reading = new Reading(now);
        if (body.Length <= LongestBody)
            reading.Text(Encoding.UTF8.GetString((LenientJson.ToDecodable(body, out _) ?? body).Span), 0);
        return new ThrottleNotice(reading.Told ?? reading.Worded, reading.Limit ?? reading.Kind);
    }

    /// <summary>Which limit a text names, with its time; null for none.</summary>
    internal static string? LimitOf(string text)
    {
        if (Spans().Match(text) is not { Success: true } match)
            return null;
        var span = match.Groups["span"].ValueSpan;
        if (match.Groups["unit"] is { Success: true, ValueSpan: var letter })
            return $"{WhichOf(match.Groups["which"].ValueSpan)}{UnitOf(letter[0])} per {SpanOf(span)}";
        var before = Units().Matches(text[Math.Max(0, match.Index - UnitBefore)..match.Index]);
        var unit = before.Count > 0 ? before[^1] : Units().Match(text, match.Index, Math.Min(UnitBehind, text.Length - match.Index));
        return $"{(unit.Success ? Name(unit.Value) : "calls")} per {SpanOf(span)}";
    }

    private static string WhichOf(ReadOnlySpan<char> letter) => letter switch { "I" or "i" => "input ", "O" or "o" => "output ", _ => "" };

    private static string UnitOf(char letter) => letter switch { 'T' or 't' => "tokens", 'Q' or 'q' => "queries", _ => "requests" };

    private static string SpanOf(ReadOnlySpan<char> span) => char.ToUpperInvariant(span[0]) switch
    {
        'S' => "second",
        'H' => "hour",
        'W' => "week",
        'M' => span.StartsWith("mo", StringComparison.OrdinalIgnoreCase) ? "month" : "minute",
        _ => "day",
    };

    private static string Name(string unit) => unit.ToUpperInvariant() switch
    {
        ['F', ..] => "free models",
        ['I', 'N', ..] => "input tokens",
        ['O', ..] => "output tokens",
        ['I', ..] => "images",
        ['A', ..] => "audio seconds",
        ['Q', ..] => "queries",
        ['T', ..] => "tokens",
        _ => "requests",
    };

    // TPD, ITPM; per day, per-minute, PerDay (in Google's ids), tokens/min; daily.
    [GeneratedRegex(
        @"\b(?<which>[IO])?(?<unit>[RTQ])P(?<span>[SMHDW])\b"
        + @"|per[-_\s]{0,3}(?:1\s)?(?<span>sec(?:ond)?|min(?:ute)?|hour|day|week|month)s?(?-i:(?![a-z]))"
        + @"|(?<=tokens?|requests?|queries)\s?/\s?(?<span>sec|min|hour|day|month|s|m|h|d)\b|\b(?<span>dai|hour|week|month)ly\b",
        RegexOptions.IgnoreCase, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Spans();

    [GeneratedRegex(
        @"free[-_ ]models?|input[-_ ]?tokens?|output[-_ ]?tokens?|tokens?|requests?|queries|images?|audio[-_ ]seconds",
        RegexOptions.IgnoreCase, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Units();

    [GeneratedRegex(
        @"(?:\btry again|\b(?:please )?retry(?:ing)?(?:[-_ ]after)?|\bwait|\bavailable(?: again)?|\bagain(?= (?:at|in|after|on)\b)"
        + @"|\bresets?|\bresetting|\buntil)"
        + @"(?:\s|[:=""'(~]|\b(?:again|in|after|at|for|on|until|about|approximately|another|the next|time|is)\b){1,8}"
        + @"(?<wait>\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?: ?(?:Z|UTC|GMT|[+-]\d\d:?\d\d))?"
        + @"|[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT|"
        + ProviderWait.TimeOfDayPattern + "|" + ProviderWait.DurationPattern + @"|\d{10,19}(?![\d.])"
        // A number alone is in seconds where it is no time of the day: "retry in 5".
        + @"|(?<=\b(?:in|after|for|wait|about|approximately|another)[\s:=""'(~]{1,3})\d{1,6}(?:\.\d{1,6})?"
        + @"(?=[.,;!)""']{0,3}(?:\s|$))(?! \w| \())",
        RegexOptions.IgnoreCase, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Waits();

    [GeneratedRegex(@"\bretry[-_ ]after[""']?\s?[:=]\s?[""']?(?<wait>\d{1,6}(?:\.\d+)?)\b", RegexOptions.IgnoreCase, 1000)]
    private static partial Regex Fields();

    // Fields before words, a limit with its time before one without, and of each the first.
    private sealed class Reading(DateTimeOffset now)
    {
        private int _texts;

        public TimeSpan? Told { get; private set; }

        public TimeSpan? Worded { get; private set; }

        public string? Limit { get; private set; }

        public string? Kind { get; private set; }

        public void Text(string text, int depth)
        {
            if (++_texts > MostTexts)
                return;
            // Gateways put what the provider behind them said into a string.
            if (depth < DeepestNesting && text.AsSpan().TrimStart() is ['{' or '[', ..])
            {
                try
                {
                    using var json = JsonDocument.Parse(text, new JsonDocumentOptions { MaxDepth = 32 });
                    Json(json.RootElement, depth + 1);
                    return;
                }
                catch (Exception e) when (e is JsonException or InvalidOperationException)
                {
                    // Then it is a text that begins with a bracket; or holds half a surrogate, and has been read up to there.
                }
            }
            if (Worded is null && (Waits().Match(text) is { Success: true } wait ? wait : Fields().Match(text)) is { Success: true } found)
                Worded = ProviderWait.Read(found.Groups["wait"].Value, now);
            Limit ??= LimitOf(text);
        }

        private void Json(JsonElement element, int depth)
        {
            if (element.ValueKind == JsonValueKind.Array)
            {
                foreach (var item in element.EnumerateArray())
                    Json(item, depth);
            }
            else if (element.ValueKind == JsonValueKind.String)
            {
                Text(element.GetString()!, depth);
            }
            else if (element.ValueKind == JsonValueKind.Object)
            {
                if (element.TryGetProperty("headers", out var headers) && headers.ValueKind == JsonValueKind.Object)
                    Headers(headers);
                foreach (var property in element.EnumerateObject())
                {
                    Field(property.Name, property.Value);
                    Json(property.Value, depth);
                }
            }
        }

        private void Field(string name, JsonElement value)
        {
            var text = value.ValueKind is JsonValueKind.String or JsonValueKind.Number ? value.ToString() : null;
            if (text is null)
                return;
            switch (name.Replace("_", "", StringComparison.Ordinal).Replace("-", "", StringComparison.Ordinal).ToUpperInvariant())
            {
                case "RETRYDELAY" or "RETRYAFTER" or "RETRYAFTERSECONDS" or "RETRYIN" or "RETRYINSECONDS" or "RETRYAT"
                    or "RESETSIN" or "RESETSINSECONDS" or "RESETIN" or "RESETINSECONDS" or "RESETSAT" or "RESETAT":
                    Told ??= ProviderWait.Read(text, now);
                    break;
                case "RETRYAFTERMS":
                    Told ??= ProviderWait.ReadMilliseconds(text, now);
                    break;
                case "TYPE" when text is "tokens" or "requests":
                    Kind = text;
                    break;
            }
        }

        // OpenRouter repeats in metadata.headers what it does not send as headers.
        private void Headers(JsonElement headers)
        {
            using var answer = new HttpResponseMessage();
            foreach (var header in headers.EnumerateObject())
                if (header.Value.ValueKind is JsonValueKind.String or JsonValueKind.Number)
                    answer.Headers.TryAddWithoutValidation(header.Name, header.Value.ToString());
            var read = RateLimitHeaders.Read(answer.Headers, now);
            Told ??= read.RetryAfter ?? read.Exhausted?.Wait ?? read.ResetAlone?.Wait;
        }
    }
}
