using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace LlmPipeline;

/// <summary>
/// Makes bytes of the texts of the dialect table. Placeholders: <c>{{model}}</c>, <c>{{epoch+2}}</c> and <c>{{epochms+2}}</c> (Unix time in
/// two seconds), <c>{{iso+2}}</c>, <c>{{date+2}}</c> (as in HTTP headers), and <c>{{name}}</c> for a named text of the file. <c>\xHH</c> is
/// a single byte.
/// </summary>
internal sealed partial class PlayedText(IReadOnlyDictionary<string, string> texts)
{
    /// <summary>The bytes of a text.</summary>
    public byte[] Bytes(string text, string? model, DateTimeOffset now)
    {
        var filled = Fill(text, model, now);
        var bytes = new List<byte>(filled.Length);
        var from = 0;
        foreach (var escape in Escape().EnumerateMatches(filled))
        {
            bytes.AddRange(Encoding.UTF8.GetBytes(filled[from..escape.Index]));
            bytes.Add(byte.Parse(filled.AsSpan(escape.Index + 2, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture));
            from = escape.Index + escape.Length;
        }
        bytes.AddRange(Encoding.UTF8.GetBytes(filled[from..]));
        return [.. bytes];
    }

    /// <summary>A text with its placeholders filled in.</summary>
    /// <exception cref="FormatException">A placeholder is unknown.</exception>
    public string Fill(string text, string? model, DateTimeOffset now) => Placeholder().Replace(text, found =>
    {
        var name = found.Groups["name"].Value;
        var then = found.Groups["seconds"] is { Success: true, Value: var seconds }
            ? now.AddSeconds(int.Parse(seconds, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture))
            : now;
        return name switch
        {
            // As part of a JSON string, which it is wherever a provider names it.
            "model" => JsonEncodedText.Encode(model ?? "").ToString(),
            "epoch" => then.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture),
            "epochms" => then.ToUnixTimeMilliseconds().ToString(CultureInfo.InvariantCulture),
            "iso" => then.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture),
            "date" => then.ToString("R", CultureInfo.InvariantCulture),
            _ when texts.TryGetValue(name, out var named) => Fill(named, model, now),
            _ => throw new FormatException($"The placeholder {found.Value} is unknown."),
        };
    });

    [GeneratedRegex(@"\{\{(?<name>[a-z][A-Za-z]*)(?<seconds>[+-]\d+)?\}\}")]
    private static partial Regex Placeholder();

    [GeneratedRegex(@"\\x[0-9A-F]{2}")]
    private static partial Regex Escape();
}
