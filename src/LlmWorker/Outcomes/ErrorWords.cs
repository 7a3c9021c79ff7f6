using System.Text.RegularExpressions;

namespace LlmPipeline;

/// <summary>
/// What the words of an error say, whoever wrote it. They only speed a decision up: what an error is taken for is confirmed by other rows
/// before anything is closed, and a message may quote a prompt.
/// </summary>
internal static partial class ErrorWords
{
    /// <summary>The key is wrong, or the account has no credit or is shut.</summary>
    public static bool SayAccount(string text) => Account().IsMatch(text);

    /// <summary>The model does not exist.</summary>
    public static bool SayUnknownModel(string text) => UnknownModel().IsMatch(text);

    /// <summary>Calls come too fast, or too many at once.</summary>
    public static bool SayRateLimit(string text) => RateLimit().IsMatch(text);

    /// <summary>This request is refused for what it holds.</summary>
    public static bool SayModeration(string text) => Moderation().IsMatch(text);

    /// <summary>This request is too long for the model.</summary>
    public static bool SayTooLong(string text) => TooLong().IsMatch(text);

    private const RegexOptions Options = RegexOptions.IgnoreCase | RegexOptions.CultureInvariant;

    [GeneratedRegex(
        @"\bapi[ _-]?key\b.{0,40}\b(not valid|invalid|incorrect|expired|revoked|disabled|required|missing)\b"
        + @"|\b(invalid|incorrect|wrong|expired|missing|no)\b.{0,12}\bapi[ _-]?key\b"
        + @"|\b(credit|account)s? balance\b|\binsufficient[ _](credit|balance|quota|fund)"
        + @"|\bexceeded[ _](your[ _])?current[ _]quota|\bbilling[ _](hard[ _])?(limit|not[ _]active)"
        + @"|\b(account|organi[sz]ation|project|workspace)\b.{0,40}\b(suspended|deactivated|disabled|blocked|terminated|overdue|arrears?)\b"
        + @"|\bout of credits?\b|\barrearage\b"
        + @"|\b(payment|recharge|top[ -]?up) (is )?required\b", Options)]
    private static partial Regex Account();

    [GeneratedRegex(
        @"\bmodel[s]?\b[ :]*[`'""]?[\w./:@-]*[`'""]?,? (is )?(was )?(not found|does not exist|doesn't exist|not exist|not available|not supported|unknown|unavailable)\b"
        + @"|\bnot a valid model\b|^(the )?(invalid|unknown|unsupported|no such) model\b|\bmodel[ _]not[ _](found|exist)"
        + @"|\bmodels? loaded\b|\bmodels/\S+ is not found\b|\bno model named\b"
        + @"|\bmodel identifier is invalid\b|\bunknown[ _]model\b|\binvalid[ _]model(?!\w)", Options)]
    private static partial Regex UnknownModel();

    [GeneratedRegex(
        @"rate|too[ _-]?many[ _-]?requests?|too (fast|frequent)|throttl|concurren|slow down|capacity|overload|busy"
        + @"|per (second|minute|hour|day)|retry|try again|later", Options)]
    private static partial Regex RateLimit();

    [GeneratedRegex(
        @"\bflagged\b|\bmoderation\b|\bcontent[ _](policy|filter|management|exists risk)|\bsafety\b|\busage polic"
        + @"|\binappropriate\b|\bsensitive (content|words?|information)\b|\bblocked by .{0,30}(filter|guardrail|policy)", Options)]
    private static partial Regex Moderation();

    [GeneratedRegex(
        @"\bcontext[ _](length|window|size)|\bmaximum (context|input|prompt|number of tokens)"
        + @"|\b(prompt|input|request|message|text)s?\b.{0,30}\b(is|are) too (long|large|big)\b|\btoo many (input )?tokens\b"
        + @"|\bexceeds? (the )?(maximum|max|model'?s?|available|context)\b.{0,40}\b(tokens?|length|context|size)\b"
        + @"|\btoken (count|limit)\b.{0,30}\bexceed", Options)]
    private static partial Regex TooLong();
}
