using System.Text.Json;

namespace LlmPipeline;

/// <summary>Keeps one string for each text that comes again in every row (models, fields), so that rows don't allocate it anew.</summary>
internal sealed class JsonNames
{
    private const int MaxNames = 1000;
    private const int MaxChars = 256;

    private readonly Dictionary<string, string> _names;
    private readonly Dictionary<string, string>.AlternateLookup<ReadOnlySpan<char>> _lookup;

    public JsonNames()
    {
        _names = new(StringComparer.Ordinal);
        _lookup = _names.GetAlternateLookup<ReadOnlySpan<char>>();
    }

    /// <summary>The text of the string or property name that the reader is on; false when its escapes are no Unicode text.</summary>
    public bool TryGet(ref Utf8JsonReader reader, out string text)
    {
        // Escapes are rare in names, and only they can fail.
        if (reader.ValueIsEscaped || reader.ValueSpan.Length > MaxChars) return JsonText.TryGet(ref reader, out text);

        Span<char> chars = stackalloc char[MaxChars];
        var length = reader.CopyString(chars);
        if (_lookup.TryGetValue(chars[..length], out text!)) return true;
        text = new string(chars[..length]);
        if (_names.Count < MaxNames) _names.Add(text, text);
        return true;
    }
}
