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

    private static readonly JsonWriterOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, MaxDepth = 1000 };

    public static JobView OfEnded(string id, JobRecord record, JobResult result) => new(id, record, result.Status.ToString().ToLowerInvariant(), result);

    /// <summary>
    /// JSON in valid UTF-8, with all fields always there. The provider's body is in it as it came where it is JSON; else repaired (<see
    /// cref="LenientJson"/>), or as a string.
    /// </summary>
    public ReadOnlyMemory<byte> ToJson()
    {
        var buffer = new ArrayBufferWriter<byte>(512);
        using (var json = new Utf8JsonWriter(buffer, Relaxed))
            Write(json);
        return buffer.WrittenMemory;
    }

    /// <summary>Jobs as a list.</summary>
    public static ReadOnlyMemory<byte> ToJson(IEnumerable<JobView> jobs)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer, Relaxed))
        {
            json.WriteStartObject();
            json.WriteString("object"u8, "list"u8);
            json.WriteStartArray("data"u8);
            foreach (var job in jobs)
                job.Write(json);
            json.WriteEndArray();
            json.WriteEndObject();
        }

        return buffer.WrittenMemory;
    }

    private void Write(Utf8JsonWriter json)
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
        WriteResult(json);
        WriteError(json, meta?.Error);
        WriteUsage(json, meta);
        WriteMetadata(json);
        json.WriteEndObject();
    }

    private static void WriteTime(Utf8JsonWriter json, ReadOnlySpan<byte> name, long? milliseconds)
    {
        if (milliseconds is > 0 and var time)
            json.WriteNumber(name, time / 1000);
        else
            json.WriteNull(name);
    }

    private void WriteResult(Utf8JsonWriter json)
    {
        if (Result?.Meta.StatusCode is not { } status)
        {
            json.WriteNull("result"u8);
            return;
        }

        json.WriteStartObject("result"u8);
        json.WriteNumber("status_code"u8, status);
        json.WriteString("request_id"u8, Result.Meta.RequestId);
        json.WritePropertyName("body"u8);
        json.WriteRawValue(LenientJson.AsJson(Result.Response, CallAnswer.MaxDepth).Span, skipInputValidation: true);
        json.WriteEndObject();
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
