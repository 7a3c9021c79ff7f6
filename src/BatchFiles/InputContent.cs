using System.Text;
using ICSharpCode.SharpZipLib;
using ICSharpCode.SharpZipLib.GZip;
using ZstdSharp;

namespace LlmPipeline;

/// <summary>
/// The text of an input file as UTF-8. gzip and zstd are recognised by their first bytes and decompressed; a file that is cut off, or
/// damaged, is an error. UTF-16 and UTF-32 are recognised, other encodings are named by the caller. (.NET's GZipStream takes a file that is
/// cut off for a whole one.)
/// </summary>
internal sealed class InputContent : IDisposable
{

    private const int HeadBytes = 64;
    private const int BufferBytes = 64 * 1024;
    private const string CutOff = "cut off: the compressed data does not reach its end";

    private readonly FileStream _file;
    private readonly Stream _stream;
    private readonly string _path;

    private InputContent(FileStream file, Stream stream, string path, Encoding? encoding, bool hasMark)
    {
        _file = file;
        _stream = stream;
        _path = path;
        EncodingName = encoding?.WebName;
        HasMark = hasMark;
    }

    /// <summary>What stands where bytes are no text in the encoding: U+FFFF, a character that no text holds.</summary>
    public static ReadOnlySpan<byte> Undecodable => "\uFFFF"u8;

    /// <summary>The encoding that the text was in; null for UTF-8.</summary>
    public string? EncodingName { get; }

    /// <summary>Whether the text begins with a byte order mark.</summary>
    public bool HasMark { get; }

    /// <summary>How many bytes of the file were read.</summary>
    public long BytesRead => _file.Position;

    /// <summary>Length and time of change of the file.</summary>
    public InputStamp Stamp => InputStamp.Of(_file);

    /// <summary>Opens a file.</summary>
    /// <param name="path">The path as the user gave it.</param>
    /// <param name="encoding">The encoding; null for UTF-8, or what the first bytes show.</param>
    /// <exception cref="InputException">It cannot be read, or is no text.</exception>
    public static InputContent Open(string path, Encoding? encoding)
    {
        var file = InputStamp.OpenFile(path);
        try
        {
            var head = HeadOf(file, path);
            var unpack = Decompressor(path, head);
            file.Position = 0;
            if (unpack is not null)
                head = HeadOf(unpack(file), path);
            var (found, hasMark) = EncodingOf(head);
            encoding ??= found;
            file.Position = 0;
            Stream stream = unpack is null ? file : unpack(file);
            if (encoding is UTF8Encoding)
                encoding = null;
            if (encoding is not null)
                stream = Encoding.CreateTranscodingStream(stream, Decoding(encoding), new UTF8Encoding(false), leaveOpen: false);
            return new InputContent(file, stream, path, encoding, hasMark);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>The encoding of a name, such as <c>windows-1252</c>.</summary>
    /// <exception cref="InputException">There is none of this name.</exception>
    public static Encoding EncodingNamed(string name)
    {
        try
        {
            return CodePagesEncodingProvider.Instance.GetEncoding(name) ?? Encoding.GetEncoding(name);
        }
        catch (ArgumentException)
        {
            throw new InputException(
                $"--encoding {name}: unknown; there are utf-8, utf-16, windows-1252, iso-8859-1, shift_jis, gb18030, big5, euc-kr and others");
        }
    }

    /// <summary>Reads on; 0 at the end.</summary>
    /// <exception cref="InputException">The file cannot be read, is cut off or damaged.</exception>
    public async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        try
        {
            return await _stream.ReadAsync(buffer, cancellationToken);
        }
        catch (Exception e) when (Broken(e) is { } what)
        {
            throw new InputException($"{_path}: {what}", e);
        }
    }

    public void Dispose()
    {
        // The decompressors hold nothing beside the file.
        if (!ReferenceEquals(_stream, _file))
            _stream.Dispose();
        _file.Dispose();
    }

    private static byte[] HeadOf(Stream stream, string path)
    {
        var head = new byte[HeadBytes];
        try
        {
            return head[..stream.ReadAtLeast(head, HeadBytes, throwOnEndOfStream: false)];
        }
        catch (Exception e) when (Broken(e) is { } what)
        {
            throw new InputException($"{path}: {what}", e);
        }
    }

    private static Func<Stream, Stream>? Decompressor(string path, byte[] head)
    {
        return head switch
        {
            [0x1F, 0x8B, ..] => file => new GZipInputStream(file, BufferBytes) { IsStreamOwner = false },
            // Frames that are skipped may come first.
            [0x28, 0xB5, 0x2F, 0xFD, ..] or [>= 0x50 and <= 0x5F, 0x2A, 0x4D, 0x18, ..] => file => new DecompressionStream(file, leaveOpen: true),
            [(byte)'P', (byte)'K', 3, 4, ..] => throw Refused("a zip or Excel file: save it as CSV, or unpack it"),
            [0xD0, 0xCF, 0x11, 0xE0, ..] => throw Refused("an Excel or Office file: save it as CSV"),
            [(byte)'P', (byte)'A', (byte)'R', (byte)'1', 0x15, ..] => throw Refused("a Parquet file: write it as JSONL or CSV"),
            [(byte)'%', (byte)'P', (byte)'D', (byte)'F', (byte)'-', ..] => throw Refused("a PDF file: only text is read"),
            [(byte)'B', (byte)'Z', (byte)'h', _, 0x31, 0x41, ..] => throw Refused("a bzip2 file: gzip and zstd are read"),
            [0xFD, (byte)'7', (byte)'z', (byte)'X', (byte)'Z', 0, ..] => throw Refused("an xz file: gzip and zstd are read"),
            _ => null,
        };

        InputException Refused(string what) => new($"{path}: {what}");
    }

    private static (Encoding? Encoding, bool HasMark) EncodingOf(byte[] head) => head switch
    {
        [0xEF, 0xBB, 0xBF, ..] => (null, true),
        [0xFF, 0xFE, 0, 0, ..] => (Encoding.UTF32, true),
        [0xFF, 0xFE, ..] => (Encoding.Unicode, true),
        [0xFE, 0xFF, ..] => (Encoding.BigEndianUnicode, true),
        // Text in UTF-16 without a mark begins with two characters of ASCII.
        [not 0, 0, not 0, 0, ..] => (Encoding.Unicode, false),
        [0, not 0, 0, not 0, ..] => (Encoding.BigEndianUnicode, false),
        _ => (null, false),
    };

    private static Encoding Decoding(Encoding encoding)
    {
        var decoding = (Encoding)encoding.Clone();
        decoding.DecoderFallback = new DecoderReplacementFallback("\uFFFF");
        return decoding;
    }

    /// <summary>What an exception of a file or a decompressor says; null for any other.</summary>
    private static string? Broken(Exception e) => e switch
    {
        // Also SharpZipLib says so: its own exceptions for the middle of the data, this one for headers and trailers.
        EndOfStreamException => CutOff,
        SharpZipBaseException when e.Message.Contains("EOF", StringComparison.Ordinal) => CutOff,
        SharpZipBaseException or ZstdException or InvalidDataException => $"damaged: {e.Message}",
        IOException => e.Message,
        _ => null,
    };
}
