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

    /// <summary>A rate limit is named: narrower than <see cref="SayRateLimit"/>, for statuses that are not the usual one.</summary>
    public static bool NameRateLimit(string text) => NamedRateLimit().IsMatch(text);

    /// <summary>This request is refused for what it holds.</summary>
    public static bool SayModeration(string text) => Moderation().IsMatch(text);

    /// <summary>This request is too long for the model.</summary>
    public static bool SayTooLong(string text) => TooLong().IsMatch(text);

    private const RegexOptions Options = RegexOptions.IgnoreCase | RegexOptions.CultureInvariant;

    [GeneratedRegex(
        @"\bapi[ _-]?key\b.{0,40}\b(not valid|invalid|incorrect|expired|revoked|disabled|required|missing)\b|\b(invalid|incorrect|wrong|expired|missing|no)\b.{0,12}\bapi[ _-]?key\b"
        + @"|\b(credit|account)s? balance\b|\binsufficient[ _](credit|balance|quota|fund)|\bexceeded[ _](your[ _])?current[ _]quota|\bbilling[ _](hard[ _])?(limit|not[ _]active)"
        + @"|\b(account|organi[sz]ation|project|workspace)\b.{0,40}\b(suspended|deactivated|disabled|blocked|terminated|overdue|arrears?)\b|\bout of credits?\b|\barrearage\b"
        + @"|\b(payment|recharge|top[ -]?up) (is )?required\b"
        + @"|\b(access|api|auth|bearer) token\b.{0,20}\b(invalid|expired|not valid)\b|\blog ?in fail"
        + @"|\bbudget (has been )?exceeded\b|\bover budget\b"
        + @"|\b(invalid|incorrect|wrong|expired|missing|unknown|bad|no)\b.{0,12}"
        + @"\b(api|access|auth\w*|bearer)[ _-]?(token|secret|credentials?)\b"
        + @"|\binvalid credentials\b|^unauthori[sz]ed\b|\b(budget_exceeded|allowance_(used|exceeded|exhausted))\b"
        + @"|余额不足|欠费|充值|身份验证失败|账户.{0,6}(锁定|冻结|停用)|(密钥|令牌|API ?Key).{0,6}(无效|错误|过期)", Options)]
    private static partial Regex Account();

    [GeneratedRegex(
        @"\bmodel[s]?\b[ :]*[`'""]?[\w./:@-]*[`'""]?,? (is )?(was )?(not found|does not exist|doesn't exist|not exist|not available|not supported|unknown|unavailable)\b"
        + @"|\bnot a valid model\b|^(the )?(invalid|unknown|unsupported|no such) model\b|\bmodel[ _]not[ _](found|exist)|\bmodels? loaded\b|\bmodels/\S+ is not found\b|\bno model named\b"
        + @"|\bmodel identifier is invalid\b|\bunknown[ _]model\b|\binvalid[ _]model(?!\w)"
        + @"|\bmodel\b.{0,80}\b(decommissioned|retired|no longer (available|supported))\b|\bno endpoints found for \S+/\S|\bno available channel for model\b"
        + @"|模型.{0,30}(不存在|未找到|已下线)|(没有找到|未找到|不存在).{0,4}模型", Options)]
    private static partial Regex UnknownModel();

    [GeneratedRegex(@"rate|too[ _-]?many[ _-]?requests?|too (fast|frequent)|throttl|concurren|slow down|capacity|overload|busy|per (second|minute|hour|day)|retry|try again|later"
        + "|速率|频率|频繁|限流|并发|稍后|繁忙|过载", Options)]
    private static partial Regex RateLimit();

    [GeneratedRegex(
        @"\brate[ _-]?limit|\btoo many requests\b|\bthrottl|\brequests? (rate )?limit (reached|exceeded)\b|\bquota exceeded\b|\btoo many concurrent\b"
        + "|速率限制|频率|过于频繁|限流|并发", Options)]
    private static partial Regex NamedRateLimit();

    [GeneratedRegex(@"\bflagged\b|\bmoderation\b|\bcontent[ _](policy|filter|management|exists risk)|\bsafety\b|\busage polic|\binappropriate\b|(?<!\bcase[ -])\bsensitive\b|敏感|违规|\bblocked by .{0,30}(filter|guardrail|policy)", Options)]
    private static partial Regex Moderation();

    [GeneratedRegex(
        @"\bcontext[ _](length|window|size)|\bmaximum (context|input|prompt|number of tokens)|\b(prompt|input|request|message|text)s?\b.{0,30}\b(is|are) too (long|large|big)\b|\btoo many (input )?tokens\b"
        + @"|\bexceeds? (the )?(maximum|max|model'?s?|available|context)\b.{0,40}\b(tokens?|length|context|size)\b|\btoken (count|limit)\b.{0,30}\bexceed|\bexceed context limit\b"
        + @"|\brange of input length\b|超长|超出.{0,8}长度", Options)]
    private static partial Regex TooLong();
}
