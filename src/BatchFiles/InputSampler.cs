using System.Globalization;

namespace LlmPipeline;

/// <summary>
/// Chooses rows at random while they are read: each set of so many is as likely as any other (Knuth's algorithm S). The same content gives
/// the same rows, so that a run goes on with them.
/// </summary>
internal sealed class InputSampler(string contentHash, int size, int rows)
{
    private readonly Random _random = new(int.Parse(contentHash.AsSpan(0, 8), NumberStyles.HexNumber, CultureInfo.InvariantCulture));
    private int _left = rows;
    private int _wanted = Math.Min(size, rows);

    /// <summary>Whether the next row is taken.</summary>
    public bool Takes()
    {
        if (_wanted == 0 || _random.Next(_left--) >= _wanted) return false;
        _wanted--;
        return true;
    }
}
