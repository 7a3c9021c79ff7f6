namespace LlmPipeline;

/// <summary>
/// The <c>\uXXXX</c> escapes of JSON. JSON has backslashes in strings only, so it is searched for them without being parsed.
/// </summary>
internal static class JsonEscapes
{
    /// <summary>The bytes of an escape.</summary>
    public const int Length = 6;

    /// <summary>The place of the first escape of a lone surrogate (half of a pair without its other half); -1 when there is none.</summary>
    /// <param name="json">JSON.</param>
    /// <param name="from">Where the search begins: not inside an escape.</param>
    public static int FindLoneSurrogate(ReadOnlySpan<byte> json, int from = 0)
    {
        for (var at = from; json[at..].IndexOf((byte)'\\') is >= 0 and var found;)
        {
            at += found;
            if (UnitAt(json, at) is { } unit && char.IsSurrogate(unit))
            {
                if (!IsPair(json, at))
                    return at;
                at += 2 * Length;
            }
            else
            {
                // The escaped character may be a backslash itself.
                at = Math.Min(at + 2, json.Length);
            }
        }

        return -1;
    }

    /// <summary>Whether the escapes of a whole surrogate pair begin at a place.</summary>
    public static bool IsPair(ReadOnlySpan<byte> json, int at) =>
        UnitAt(json, at) is { } high && char.IsHighSurrogate(high) && UnitAt(json, at + Length) is { } low && char.IsLowSurrogate(low);

    /// <summary>The code unit of the <c>\uXXXX</c> at a place; null when there is none.</summary>
    public static char? UnitAt(ReadOnlySpan<byte> json, int at)
    {
        if (at + Length > json.Length || json[at] != '\\' || json[at + 1] != 'u')
            return null;
        var unit = 0;
        foreach (var digit in json.Slice(at + 2, 4))
        {
            if (!char.IsAsciiHexDigit((char)digit))
                return null;
            unit = (unit << 4) | (digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10);
        }

        return (char)unit;
    }
}
