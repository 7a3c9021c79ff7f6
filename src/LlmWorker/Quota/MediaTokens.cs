using System.Buffers;
using System.Buffers.Binary;
using System.Buffers.Text;
using System.Text.Json;

namespace LlmPipeline;

/// <summary>What sounds, films and files within a request cost, which come as base64 and are no text to the model.</summary>
/// <remarks>
/// A sound counts by its duration, a token for each 100 ms (OpenAI's guide "Managing costs",
/// <see href="https://developers.openai.com/api/docs/guides/realtime-costs"/>): told by the header of a WAV file; of any other, by its
/// bytes at 128 kbit/s, the usual rate of an MP3, which is a token for 1,600 bytes, and so does a film. What a file costs only its reader
/// knows (a PDF is text and a picture of each page): a token for 64 bytes is a rough guess, until the answer reports them.
/// </remarks>
internal static class MediaTokens
{
    private const int TokensPerSecond = 10;
    private const int BytesPerToken = 1600;
    private const int FileBytesPerToken = 64;

    // No more of a sound is decoded than the head of a WAV file, of a text no more than shows that it is base64.
    private const int Head = 1024;
    private const int LongestMediaType = 128;

    private static readonly SearchValues<byte> Base64Bytes =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=-_\\"u8);

    /// <summary>Whether this string is a sound or a file, and its tokens.</summary>
    /// <param name="parent">The field that the string's object is the value of, such as <c>input_audio</c>.</param>
    /// <param name="name">The string's own field.</param>
    /// <param name="reader">On the string.</param>
    /// <param name="tokens">What it counts.</param>
    public static bool TryCount(string parent, string name, ref Utf8JsonReader reader, out long tokens)
    {
        tokens = 0;
        var value = reader.ValueSpan;
        if (MediaType(value) is { Length: > 0 } type)
        {
            // Pictures are counted by their size.
            if (type.StartsWith("data:image/"u8))
                return false;
            var data = value[type.Length..];
            tokens = type.StartsWith("data:audio/"u8) || type.StartsWith("data:video/"u8) ? Sound(data)
                : type.StartsWith("data:text/"u8) || type.StartsWith("data:application/json"u8) ? Math.Max(1, Bytes(data) / 4)
                : Math.Max(1, Bytes(data) / FileBytesPerToken);
            return true;
        }

        if (name is not ("data" or "file_data" or "audio" or "b64_json") || value.Length < 4
            || value[..Math.Min(value.Length, Head)].ContainsAnyExcept(Base64Bytes))
            return false;
        if (parent is "input_audio" or "audio" || name == "audio")
            tokens = Sound(value);
        else if (name is "file_data" or "b64_json" || value.Length >= Head)
            tokens = Math.Max(1, Bytes(value) / FileBytesPerToken);
        return tokens > 0;
    }

    /// <summary>What a data URL with base64 has before its data; empty for any other text.</summary>
    private static ReadOnlySpan<byte> MediaType(ReadOnlySpan<byte> value)
    {
        if (!value.StartsWith("data:"u8))
            return default;
        var end = value[..Math.Min(value.Length, LongestMediaType)].IndexOf(";base64,"u8);
        return end < 0 ? default : value[..(end + ";base64,".Length)];
    }

    private static long Bytes(ReadOnlySpan<byte> base64) => base64.Length / 4L * 3;

    private static long Sound(ReadOnlySpan<byte> base64)
    {
        var bytes = Bytes(base64);
        var seconds = WavSeconds(base64, bytes);
        return Math.Max(1, seconds is { } duration ? (long)Math.Ceiling(duration * TokensPerSecond) : bytes / BytesPerToken);
    }

    /// <summary>
    /// The duration of a WAV file by its header (RIFF: chunks of a name, a size and data); null for anything else. A recorder that did not
    /// know the size when it began writes 0 or the largest number: then the file's own size counts.
    /// </summary>
    private static double? WavSeconds(ReadOnlySpan<byte> base64, long bytes)
    {
        Span<byte> text = stackalloc byte[Head];
        Span<byte> head = stackalloc byte[Head];
        var length = 0;
        foreach (var b in base64[..Math.Min(base64.Length, Head)])
        {
            // PHP writes a slash as \/ in JSON.
            if (b != '\\')
                text[length++] = b;
        }

        if (Base64.DecodeFromUtf8(text[..(length / 4 * 4)], head, out _, out var read) == OperationStatus.InvalidData && read < 12)
            return null;
        var riff = (ReadOnlySpan<byte>)head[..read];
        if (riff.Length < 12 || !riff.StartsWith("RIFF"u8) || !riff[8..].StartsWith("WAVE"u8))
            return null;
        uint rate = 0;
        for (long at = 12; at + 8 <= riff.Length;)
        {
            var chunk = riff[(int)at..];
            var size = BinaryPrimitives.ReadUInt32LittleEndian(chunk[4..]);
            if (chunk.StartsWith("fmt "u8) && chunk.Length >= 20)
                rate = BinaryPrimitives.ReadUInt32LittleEndian(chunk[16..]);
            if (chunk.StartsWith("data"u8))
                return Seconds(rate, size is 0 or > int.MaxValue ? bytes - at - 8 : Math.Min(size, bytes - at - 8));
            at += 8 + size + (size & 1);
        }

        return Seconds(rate, bytes - read);
    }

    private static double? Seconds(uint bytesPerSecond, long bytes) =>
        bytesPerSecond is >= 1000 and <= 10_000_000 ? (double)Math.Max(0, bytes) / bytesPerSecond : null;
}
