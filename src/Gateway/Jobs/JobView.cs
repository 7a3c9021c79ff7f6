using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace LlmPipeline;

/// <summary>A job as it is now, and as it goes over the wire. Times are Unix seconds.</summary>
/// <param name="Id">Its name.</param>
/// <param name="Record">What is known of it.</param>
/// <param name="Status">queued, running, completed, failed, cancelled or expired.</param>
/// <param name="Result">Its result; null while it has none.</param>
internal sealed record JobView(string Id, JobRecord Record, string Status, JobResult? Result)
{
    public const string Queued = "queued", Running = "running";

    private const string BodyPlace = "0";
    private static readonly JsonWriterOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, MaxDepth = 1000 };

    /// <summary>Around the jobs of a list, and between them.</summary>
    public static readonly ReadOnlyMemory<byte> ListStart =
        """{"object":"list","data":["""u8.ToArray(), ListNext = ","u8.ToArray(), ListEnd = "]}"u8.ToArray();

    public static JobView OfEnded(string id, JobRecord record, JobResult result) => new(id, record, StatusOf(result.Status), result);

    public static string StatusOf(ResultStatus status) => status.ToString().ToLowerInvariant();

    /// <summary>
    /// JSON in parts, in valid UTF-8 and with all fields always there. The provider's body is in it as it came, and not copied, where it is
    /// JSON; else repaired (<see cref="LenientJson"/>), or as a string.
    /// </summary>
    public IReadOnlyList<ReadOnlyMemory<byte>> ToJson()
    {
        var buffer = new ArrayBufferWriter<byte>(512);
        int? body;
        using (var json = new Utf8JsonWriter(buffer, Relaxed))
            body = Write(json, buffer);
        var whole = buffer.WrittenMemory;
        return body is { } at ? [whole[..at], Result!.Response, whole[(at + BodyPlace.Length)..]] : [whole];
    }

    /// <returns>The place of <see cref="BodyPlace"/>, which the provider's body replaces; null: none.</returns>
    private int? Write(Utf8JsonWriter json, ArrayBufferWriter<byte> buffer)
    {
        var meta = Result?.Meta;
        json.WriteStartObject();
        json.WriteString("id"u8, Id);
        json.WriteString("object"u8, "job"u8);
        json.WriteString("status"u8, Status);
        json.WriteString("model"u8, Record.Model);
        json.WriteNumber("created_at"u8, Record.Created / 1000);
        WriteTime(json, "started_at"u8, meta?.Started);
        WriteTime(json, "finished_at"u8, meta?.Finished);
        json.WriteNumber("attempts"u8, meta?.Attempts ?? 0);
        var body = WriteResult(json, buffer);
        WriteError(json, meta?.Error);
        WriteUsage(json, meta);
        WriteMetadata(json);
        json.WriteEndObject();
        return body;
    }

    private static void WriteTime(Utf8JsonWriter json, ReadOnlySpan<byte> name, long? milliseconds)
    {
        if (milliseconds is > 0 and var time)
            json.WriteNumber(name, time / 1000);
        else
            json.WriteNull(name);
    }

    private int? WriteResult(Utf8JsonWriter json, ArrayBufferWriter<byte> buffer)
    {
        int? place = null;
        if (Result?.Meta.StatusCode is not { } status)
        {
            json.WriteNull("result"u8);
            return place;
        }

        json.WriteStartObject("result"u8);
        json.WriteNumber("status_code"u8, status);
        json.WriteString("request_id"u8, Result.Meta.RequestId);
        json.WritePropertyName("body"u8);
        var value = LenientJson.AsJson(Result.Response, CallAnswer.MaxDepth);
        if (value.Equals(Result.Response))
        {
            json.WriteRawValue(BodyPlace, skipInputValidation: true);
            json.Flush();
            place = buffer.WrittenCount - BodyPlace.Length;
        }
        else
        {
            json.WriteRawValue(value.Span, skipInputValidation: true);
        }

        json.WriteEndObject();
        return place;
    }

    private static void WriteError(Utf8JsonWriter json, ResultError? error)
    {
        if (error is null)
        {
            json.WriteNull("error"u8);
            return;
        }

        json.WriteStartObject("error"u8);
        json.WriteString("code"u8, error.Code);
        json.WriteString("message"u8, error.Message);
        json.WriteEndObject();
    }

    private static void WriteUsage(Utf8JsonWriter json, ResultMeta? meta)
    {
        if (meta is null)
        {
            json.WriteNull("usage"u8);
            return;
        }

        json.WriteStartObject("usage"u8);
        json.WriteNumber("input_tokens"u8, meta.InputTokens);
        json.WriteNumber("cached_tokens"u8, meta.CachedTokens);
        json.WriteNumber("output_tokens"u8, meta.OutputTokens);
        json.WriteEndObject();
    }

    private void WriteMetadata(Utf8JsonWriter json)
    {
        if (Record.Metadata is null)
        {
            json.WriteNull("metadata"u8);
            return;
        }

        json.WriteStartObject("metadata"u8);
        foreach (var (name, value) in Record.Metadata)
            json.WriteString(name, value);
        json.WriteEndObject();
    }
}
