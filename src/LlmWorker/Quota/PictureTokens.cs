using System.Buffers.Binary;
using System.Buffers.Text;
using System.Text.Json;

namespace LlmPipeline;

/// <summary>
/// What a picture in a request costs, by OpenAI's rule for models of the GPT-4o kind (its guide "Images and vision"): with <c>detail: low</c> 85 tokens; else
/// it is fitted into 2,048 × 2,048, shrunk to 768 on its shorter side, and costs 85 and 170 for each tile of 512 × 512.
/// </summary>
internal ref struct PictureTokens
{
    private const int Base = 85;
    private const int Tile = 170;

    // A picture whose size is not to be seen, behind a URL, counts as 1,024 × 1,024.
    private const int Ordinary = Base + (4 * Tile);

    private long _tokens;
    private bool _isLow;

    /// <summary>Whether this string belongs to a picture: its address, its data, its detail.</summary>
    public bool Reads(string name, ref Utf8JsonReader reader)
    {
        if (name == "detail")
        {
            _isLow = reader.IsText("low"u8);
            return true;
        }
        var value = reader.ValueSpan;
        if (value.StartsWith("data:image/"u8) || (name is "url" or "image_url" && value.StartsWith("http"u8)))
        {
            _tokens += Of(value);
            return true;
        }
        return false;
    }

    /// <summary>At the end of each object: the tokens of the picture in it, 0 for none.</summary>
    public long End()
    {
        var tokens = _isLow && _tokens > 0 ? Base : _tokens;
        (_tokens, _isLow) = (0, false);
        return tokens;
    }

    internal static int Of(double width, double height)
    {
        var fit = Math.Min(1, 2048 / Math.Max(width, height));
        (width, height) = (width * fit, height * fit);
        var shrink = Math.Min(1, 768 / Math.Min(width, height));
        return Base + (Tile * (int)(Math.Ceiling(width * shrink / 512) * Math.Ceiling(height * shrink / 512)));
    }

    private static int Of(ReadOnlySpan<byte> url)
    {
        var comma = url.IndexOf((byte)',');
        // Sizes are in the first bytes of a PNG or GIF; elsewhere they may be anywhere.
        Span<byte> head = stackalloc byte[24];
        if (comma < 0 || url.Length - comma <= 32
            || Base64.DecodeFromUtf8(url.Slice(comma + 1, 32), head, out _, out var read) != System.Buffers.OperationStatus.Done || read < head.Length)
            return Ordinary;
        var (width, height) = head[1..].StartsWith("PNG"u8)
            ? (BinaryPrimitives.ReadUInt32BigEndian(head[16..]), BinaryPrimitives.ReadUInt32BigEndian(head[20..]))
            : head.StartsWith("GIF8"u8) ? (BinaryPrimitives.ReadUInt16LittleEndian(head[6..]), BinaryPrimitives.ReadUInt16LittleEndian(head[8..])) : (0u, 0u);
        return width is > 0 and < 100_000 && height is > 0 and < 100_000 ? Of(width, height) : Ordinary;
    }
}
