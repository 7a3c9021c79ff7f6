using System.Text.RegularExpressions;

namespace LlmPipeline;

/// <summary>
/// Takes keys out of text: whole ones of at least <see cref="ShortestKey"/> characters. A shorter one, such as the <c>none</c> of a local
/// server, is no secret and is a part of words; a key within a longer word is another word.
/// </summary>
internal sealed class KeyMask
{
    /// <summary>Shorter keys are left where they stand.</summary>
    public const int ShortestKey = 8;

    private const string Mask = "***";

    // A word begins anew behind the escapes that a quoted request or URL holds: \n, \u0022, %22.
    private const string Begins = @"(?:(?<![\p{L}\p{Nd}_-])|(?<=\\[bfnrt])|(?<=\\u[0-9A-Fa-f]{4})|(?<=%[0-9A-Fa-f]{2}))";
    private const string Ends = @"(?![\p{L}\p{Nd}_-])";
    private readonly Lazy<Regex>? _keys;

    /// <param name="keys">The keys; those that are null or too short are passed over.</param>
    public KeyMask(IEnumerable<string?> keys)
    {
        // The longest first: one key may begin with another.
        string[] spellings = [.. keys.OfType<string>()
            .Where(key => key.Length >= ShortestKey)
            .SelectMany(key => (string[])[key, Uri.EscapeDataString(key)])
            .Distinct(StringComparer.Ordinal)
            .OrderByDescending(key => key.Length)
            .Select(Regex.Escape)];
        if (spellings.Length > 0)
            _keys = new Lazy<Regex>(() => new Regex($"{Begins}(?:{string.Join('|', spellings)}){Ends}", RegexOptions.CultureInvariant));
    }

    /// <summary>The text with each key as three asterisks.</summary>
    public string Apply(string text) => _keys?.Value.Replace(text, Mask) ?? text;
}
