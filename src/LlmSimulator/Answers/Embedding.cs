using System.Runtime.InteropServices;

namespace LlmPipeline;

/// <summary>Vectors that depend only on a draw.</summary>
internal static class Embedding
{
    /// <summary>Dimensions when a request names none: few, as nobody compares them.</summary>
    public const int DefaultDimensions = 8;

    /// <summary>The most dimensions that may be asked for.</summary>
    public const int MaxDimensions = 4096;

    /// <summary>A vector of length 1.</summary>
    public static float[] Vector(ulong draw, int dimensions)
    {
        var draws = new DrawSequence(draw);
        var raw = new double[dimensions];
        var squares = 0.0;
        for (var n = 0; n < dimensions; n++)
        {
            // Never zero, so the vector has a direction.
            raw[n] = 0.01 + draws.NextDouble();
            if ((draws.Next() & 1) == 0)
                raw[n] = -raw[n];
            squares += raw[n] * raw[n];
        }
        var length = Math.Sqrt(squares);
        return Array.ConvertAll(raw, x => (float)(x / length));
    }

    /// <summary>As <c>encoding_format: base64</c> has it: 32-bit floats, little-endian.</summary>
    public static ReadOnlySpan<byte> Bytes(float[] vector)
    {
        if (BitConverter.IsLittleEndian)
            return MemoryMarshal.AsBytes(vector.AsSpan());
        var swapped = MemoryMarshal.Cast<float, int>(vector).ToArray();
        for (var n = 0; n < swapped.Length; n++)
            swapped[n] = System.Buffers.Binary.BinaryPrimitives.ReverseEndianness(swapped[n]);
        return MemoryMarshal.AsBytes(swapped.AsSpan());
    }
}
