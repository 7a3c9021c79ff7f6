using System.Buffers;
using System.Globalization;
using System.Text;

namespace LlmPipeline;

/// <summary>
/// Makes text of providers and callers fit for headers, error codes, event names, log lines and terminals. It lies in the lowest project
/// that all their writers share, so that there is one rule.
/// </summary>
/// <remarks>
/// Removed are control characters (a terminal obeys them, a header ends at them), line and paragraph separators (readers of lines split at
/// them), and the invisible ones that reorder or hide text (<see
/// href="https://www.unicode.org/reports/tr36/#Bidirectional_Text_Spoofing"/>). None goes without a trace: white space becomes a space,
/// anything else U+FFFD, also half a surrogate pair.
/// </remarks>
internal static class SafeText
{
    /// <summary>The longest error code.</summary>
    public const int MaxErrorCode = 64;

    /// <summary>The longest value of a header.</summary>
    public const int MaxHeaderValue = 256;

    private const string NoCode = "unknown";
    private static readonly SearchValues<char> CodeCharacters =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:-");

    /// <summary>One line: white space of any length is one space.</summary>
    /// <param name="text">Any text.</param>
    /// <param name="maxLength">The most UTF-16 code units; what is longer ends with an ellipsis.</param>
    public static string Line(string text, int maxLength)
    {
        var line = new StringBuilder(Math.Min(text.Length, maxLength));
        var gap = false;
        foreach (var rune in text.EnumerateRunes())
        {
            if (Rune.IsWhiteSpace(rune))
            {
                gap = line.Length > 0;
                continue;
            }

            if (gap)
                line.Append(' ');
            gap = false;
            Append(line, IsShown(rune) ? rune : Rune.ReplacementChar);
            if (line.Length > maxLength)
                return Cut(line, maxLength);
        }

        return line.ToString();
    }

    /// <summary>Text for a terminal or a log, as long and as spaced as it is.</summary>
    /// <param name="text">Any text.</param>
    /// <param name="keepLineFeeds">Whether its line feeds are meant; else they are spaces too.</param>
    public static string Printable(string text, bool keepLineFeeds = false)
    {
        if (!text.AsSpan().ContainsAnyExceptInRange(' ', '~'))
            return text;
        var shown = new StringBuilder(text.Length);
        foreach (var rune in text.EnumerateRunes())
        {
            if (IsShown(rune) || (keepLineFeeds && rune.Value == '\n'))
                Append(shown, rune);
            else
                shown.Append(Rune.IsWhiteSpace(rune) ? ' ' : '\uFFFD');
        }

        return shown.ToString();
    }

    /// <summary>
    /// An error code of at most <see cref="MaxErrorCode"/> letters, digits and <c>_ . : -</c>; whatever else a text holds is an underscore.
    /// </summary>
    public static string ErrorCode(string? text)
    {
        if (text is { Length: > 0 and <= MaxErrorCode } && !text.AsSpan().ContainsAnyExcept(CodeCharacters))
            return text;
        var code = new StringBuilder(MaxErrorCode);
        foreach (var c in text ?? "")
        {
            if (code.Length == MaxErrorCode)
                break;
            if (CodeCharacters.Contains(c))
                code.Append(c);
            else if (code.Length > 0 && code[^1] != '_')
                code.Append('_');
        }

        var trimmed = code.ToString().Trim('_');
        return trimmed.Length == 0 ? NoCode : trimmed;
    }

    /// <summary>
    /// A header's value: visible ASCII and spaces, at most <see cref="MaxHeaderValue"/>; other characters are question marks. Null where
    /// nothing is left.
    /// </summary>
    public static string? HeaderValue(string? text)
    {
        if (text is null)
            return null;
        if (text.Length > MaxHeaderValue)
            text = text[..MaxHeaderValue];
        if (text.AsSpan().ContainsAnyExceptInRange(' ', '~'))
            text = string.Concat(text.Select(c => c is >= ' ' and <= '~' ? c : '?'));
        text = text.Trim(' ');
        return text.Length == 0 ? null : text;
    }

    private static void Append(StringBuilder text, Rune rune)
    {
        Span<char> units = stackalloc char[2];
        text.Append(units[..rune.EncodeToUtf16(units)]);
    }

    private static string Cut(StringBuilder line, int maxLength)
    {
        var length = Math.Max(0, maxLength - 1);
        if (length > 0 && char.IsHighSurrogate(line[length - 1]))
            length--;
        return line.ToString(0, length) + (maxLength > 0 ? "…" : "");
    }

    private static bool IsShown(Rune rune) =>
        Rune.GetUnicodeCategory(rune) is not (UnicodeCategory.Control or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator)
        && rune.Value is not (0x061C or 0x180E or 0x200B or 0x200E or 0x200F or (>= 0x202A and <= 0x202E) or (>= 0x2060 and <= 0x206F)
            or 0xFEFF or (>= 0xFFF9 and <= 0xFFFB) or (>= 0xE0000 and <= 0xE007F));
}
