using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace LlmPipeline;

/// <summary>One line of a batch's output, in the shape of the OpenAI Batch API.</summary>
public sealed record OutputLine
{
    internal const string IdPrefix = "batch_req_";

    /// <summary>The job, <c>&lt;batch&gt;.&lt;row&gt;</c>; the line's <c>id</c> is <c>batch_req_&lt;batch&gt;.&lt;row&gt;</c>.</summary>
    public required string JobId { get; init; }

    /// <summary>The submitter's own name of the row.</summary>
    public required string CustomId { get; init; }

    /// <summary>The HTTP status of the provider's answer; null when there was no HTTP answer.</summary>
    public int? StatusCode { get; init; }

    /// <summary>The provider's id of the request; an empty string in the line when it is null.</summary>
    public string? RequestId { get; init; }

    /// <summary>The provider's body as received; not looked at when there is no <see cref="StatusCode"/>.</summary>
    public ReadOnlyMemory<byte> Body { get; init; }

    /// <summary>
    /// Code of the error. It is written when there was no HTTP answer, or when the answer has a 2xx status and is no completion all the same
    /// (it was cut, isn't JSON, or doesn't fit the schema that was asked for). An HTTP error stands in the body and has no error beside it.
    /// </summary>
    public string? ErrorCode { get; init; }

    /// <summary>The error for people; as <see cref="ErrorCode"/>.</summary>
    public string? ErrorMessage { get; init; }

    /// <summary>
    /// What the row asked for, as hashes, so that a later run knows the same row again; null where that is not known. The line has it in the
    /// field <c>request</c>.
    /// </summary>
    public string? Request { get; init; }

    /// <summary>Whether the answer is a simulator's: the line says so at its end, in the field <c>simulated</c> that other lines do not have.</summary>
    public bool IsSimulated { get; init; }

    /// <summary>A 2xx answer without an error.</summary>
    public bool IsCompletion => IsSuccess && ErrorCode is null && ErrorMessage is null;

    private bool IsSuccess => StatusCode is >= 200 and <= 299;

    /// <summary>
    /// Writes the line with its <c>\n</c>, in valid UTF-8. The body is copied byte for byte but for line breaks: those between tokens go,
    /// and U+0085, U+2028 and U+2029 in strings are escaped. A body with <c>NaN</c> or bytes that are no UTF-8 is repaired; what isn't JSON
    /// even then becomes a JSON string.
    /// </summary>
    public void WriteTo(IBufferWriter<byte> writer)
    {
        writer.Write("{\"id\":"u8);
        WriteString(writer, IdPrefix + JobId);
        writer.Write(",\"custom_id\":"u8);
        WriteString(writer, CustomId);
        writer.Write(",\"response\":"u8);
        if (StatusCode is { } status)
        {
            writer.Write("{\"status_code\":"u8);
            writer.Write(Encoding.UTF8.GetBytes(status.ToString(CultureInfo.InvariantCulture)));
            writer.Write(",\"request_id\":"u8);
            WriteString(writer, RequestId ?? "");
            writer.Write(",\"body\":"u8);
            OutputBody.Write(writer, Body.Span);
            writer.Write("}"u8);
        }
        else
        {
            writer.Write("null"u8);
        }

        writer.Write(",\"error\":"u8);
        if (StatusCode is null || (IsSuccess && !IsCompletion))
        {
            writer.Write("{\"code\":"u8);
            WriteString(writer, ErrorCode ?? "no_answer");
            writer.Write(",\"message\":"u8);
            WriteString(writer, ErrorMessage ?? ErrorCode ?? "there was no answer");
            writer.Write("}"u8);
        }
        else
        {
            writer.Write("null"u8);
        }

        if (Request is not null)
        {
            writer.Write(",\"request\":"u8);
            WriteString(writer, Request);
        }

        writer.Write(IsSimulated ? ",\"simulated\":true}\n"u8 : "}\n"u8);
    }

    /// <summary>Writes a whole line, without its line break, once more under the names of another row. False for a line that is not laid out as ours are.</summary>
    internal static bool TryRename(ReadOnlySpan<byte> line, string jobId, string customId, IBufferWriter<byte> writer)
    {
        var reader = new Utf8JsonReader(line, OutputBody.AnyDepth);
        var isOurs = reader.Read() && Skips(ref reader, "id"u8) && Skips(ref reader, "custom_id"u8);
        var rest = line[(int)reader.BytesConsumed..];
        if (!isOurs || !rest.StartsWith(",\"response\":"u8))
            return false;
        writer.Write("{\"id\":"u8);
        WriteString(writer, IdPrefix + jobId);
        writer.Write(",\"custom_id\":"u8);
        WriteString(writer, customId);
        // An earlier version may have written it.
        OutputBody.WriteOnOneLine(writer, rest);
        writer.Write("\n"u8);
        return true;

        static bool Skips(ref Utf8JsonReader reader, ReadOnlySpan<byte> name) =>
            reader.Read() && reader.TokenType == JsonTokenType.PropertyName && reader.ValueTextEquals(name) && reader.Read() && reader.TokenType == JsonTokenType.String;
    }

    internal static void WriteString(IBufferWriter<byte> writer, string text) => WriteString(writer, Encoding.UTF8.GetBytes(text));

    /// <summary>Writes UTF-8 text, which must be valid, as a JSON string.</summary>
    internal static void WriteString(IBufferWriter<byte> writer, ReadOnlySpan<byte> text)
    {
        writer.Write("\""u8);
        writer.Write(JsonEncodedText.Encode(text, JavaScriptEncoder.UnsafeRelaxedJsonEscaping).EncodedUtf8Bytes);
        writer.Write("\""u8);
    }
}
