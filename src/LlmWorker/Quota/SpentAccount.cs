using System.Text.RegularExpressions;

namespace LlmPipeline;

/// <summary>
/// Whether a refusal means that the account has no money or is suspended, so that no waiting helps: by the words of its code and type with
/// any status, by those of its message with 402 and 429 alone (Moonshot: "Your account … is suspended due to insufficient balance"). Many
/// providers mention billing in the text of a mere rate limit as well (Gemini: "You exceeded your current quota, please check your plan and
/// billing details … Please retry in 36s"; Groq: "Upgrade … /settings/billing"), so a text counts only if nothing in the answer says which
/// limit it is, or when to try again. OpenRouter's "can only afford 12000" is about one request.
/// </summary>
internal static partial class SpentAccount
{
    /// <param name="status">The answer's.</param>
    /// <param name="code">The error's code; null for none.</param>
    /// <param name="type">Its type; null for none.</param>
    /// <param name="message">Its message; null for none.</param>
    /// <param name="notice">What body and headers say of a limit.</param>
    public static bool IsReported(int status, string? code, string? type, string? message, ThrottleNotice notice) =>
        (code is not null && Codes().IsMatch(code)) || (type is not null && Codes().IsMatch(type))
        || (status is 402 or 429 && message is not null && !IsRateLimit(notice) && !Smaller().IsMatch(message)
            && (Words().IsMatch(message) || HasCode(message)));

    // Some put the code into the text, and have no field for it.
    private static bool HasCode(string message)
    {
        foreach (var name in Names().EnumerateMatches(message))
        {
            if (Codes().IsMatch(message.AsSpan(name.Index, name.Length)))
                return true;
        }

        return false;
    }

    // A month is no time to wait for, and what it limits is often money.
    private static bool IsRateLimit(ThrottleNotice notice) => notice.Wait is not null || (notice.Limit is { } limit
        && limit.Contains(" per ", StringComparison.Ordinal) && !limit.EndsWith(" month", StringComparison.Ordinal));

    [GeneratedRegex(
        @"insufficient[-_ ]?(?:quota|balance|credits?|funds?)|exceeded[-_]current[-_]quota|billing|balance(?![a-z])|credits?(?:[-_]|$)"
        + "|arrear|overdue|payment[-_]?required|suspended|deactivated|access[-_]?terminated|out[-_]of[-_]credit"
        + @"|(?:^|[-_. ])allowance(?![a-z])|(?<!(?:thinking|reasoning|tokens?)[-_ ])budget[-_ ]?(?:exceeded|exhausted|used|reached|limit)"
        + "|(?:over|exceeded)[-_]budget|spend(?:ing)?[-_ ]?(?:limit|cap)",
        RegexOptions.IgnoreCase, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Codes();

    // Of a path or an address they are no codes.
    [GeneratedRegex(@"(?<![\w/.-])[A-Za-z]+(?:[_-][A-Za-z]+)+(?![\w/]|\.\w)", RegexOptions.None, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Names();

    [GeneratedRegex(
        @"\bcan only afford\b|\b(?:fewer|reduce|lower)\b.{0,20}\btokens\b|\bmax_tokens\b",
        RegexOptions.IgnoreCase, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Smaller();

    [GeneratedRegex(
        @"\binsufficient (?:account )?(?:balance|credits?|funds?|quota)\b"
        + @"|\b(?:no|not enough|out of|run out of|used all|exhausted|more|buy|purchase|add) "
        + @"(?:your |of |available |remaining |the )*(?:credits?|funds?|balance)\b"
        + @"|\b(?:balance|credits?)\b.{0,40}\b(?:too low|insufficient|exhausted|depleted|used up|negative|zero|run out)\b"
        + @"|\bcheck your (?:plan|billing)\b|\bbilling (?:hard )?limit\b|\bbilling details\b"
        + @"|\baccount\b.{0,80}\b(?:suspended|deactivated|disabled|overdue|in arrears|blocked)\b"
        + @"|\barrears?\b|\boverdue\b|\brecharge\b|\btop[- ]?up\b|\bspend(?:ing)? limit\b"
        + @"|(?<!\b(?:thinking|reasoning|tokens?) )\b(?:budget|allowance)\b.{0,40}"
        + @"\b(?:exceeded|used(?: up)?|exhausted|spent|depleted|consumed|reached)\b"
        + @"|\b(?:exceeded|exhausted|used up|spent|over) (?:your |the |its |monthly |total )*(?:budget|allowance)\b|欠费|余额不足|充值",
        RegexOptions.IgnoreCase | RegexOptions.Singleline, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Words();
}
