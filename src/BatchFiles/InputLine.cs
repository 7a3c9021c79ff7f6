using System.Buffers;
using System.Text;
using System.Text.Unicode;

namespace LlmPipeline;

/// <summary>One physical line of a file; valid until the next one is read.</summary>
internal readonly ref struct InputLine
{
    /// <summary>From 1.</summary>
    public required int Number { get; init; }

    /// <summary>The bytes with the line's end (LF or CR LF; the last line may have none).</summary>
    public required ReadOnlySpan<byte> Raw { get; init; }

    /// <summary>Whether it is longer than allowed; then its bytes are not kept.</summary>
    public required bool TooLong { get; init; }

    /// <summary>The encoding that the file is in; null for UTF-8.</summary>
    public string? Encoding { get; init; }

    /// <summary>Whether a CR alone ends a line of the file too.</summary>
    public bool IsCrFile { get; init; }

    /// <summary>The bytes without the line's end.</summary>
    public ReadOnlySpan<byte> Bytes => WithoutEnd(Raw, IsCrFile);

    public static ReadOnlySpan<byte> WithoutEnd(ReadOnlySpan<byte> raw, bool isCrFile)
    {
        if (isCrFile && raw is [.., (byte)'\r']) return raw[..^1];
        if (raw is not [.., (byte)'\n']) return raw;
        raw = raw[..^1];
        return raw is [.., (byte)'\r'] ? raw[..^1] : raw;
    }

    /// <summary>Whether a line holds nothing but white space, that of Unicode included.</summary>
    public static bool IsBlank(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            if (Rune.DecodeFromUtf8(bytes, out var rune, out var length) != OperationStatus.Done || !Rune.IsWhiteSpace(rune)) return false;
            bytes = bytes[length..];
        }

        return true;
    }

    /// <summary>What makes a line unreadable as UTF-8 text of at most <paramref name="maxBytes"/>; null for nothing.</summary>
    public RowFault? Fault(int maxBytes)
    {
        if (TooLong) return RowFault.TooLong(maxBytes);
        if (Encoding is not null) return EncodingFault(Encoding);
        if (Utf8.IsValid(Raw)) return null;

        var at = 0;
        while (Rune.DecodeFromUtf8(Raw[at..], out _, out var length) == OperationStatus.Done) at += length;
        return new(null, $"not UTF-8 at byte {at + 1} of the line");
    }

    private RowFault? EncodingFault(string encoding)
    {
        var at = Raw.IndexOf(InputContent.Undecodable);
        return at < 0 ? null : new(null, $"not {encoding} at character {System.Text.Encoding.UTF8.GetCharCount(Raw[..at]) + 1} of the line");
    }
}
