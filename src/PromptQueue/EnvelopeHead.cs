using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace LlmPipeline;

/// <summary>The head of an envelope; short names, because each job carries them.</summary>
internal sealed class EnvelopeHead
{
    // Text goes as UTF-8 and not as \u escapes, which would double a Chinese prompt. No browser reads this.
    private static readonly JsonWriterOptions Compact = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };

    [ThreadStatic]
    private static (ArrayBufferWriter<byte> Bytes, Utf8JsonWriter Json)? _writer;

    [JsonPropertyName("p")]
    public string? Path { get; set; }

    [JsonPropertyName("f")]
    public string? Function { get; set; }

    [JsonPropertyName("s")]
    public string? Sha { get; set; }

    [JsonPropertyName("v")]
    public IReadOnlyDictionary<string, string>? Variables { get; set; }

    [JsonPropertyName("y")]
    public string? System { get; set; }

    [JsonPropertyName("o")]
    public IReadOnlyDictionary<string, JsonElement>? Settings { get; set; }

    /// <summary>In a private queue only: elsewhere the queue is named by it.</summary>
    [JsonPropertyName("l")]
    public string? Model { get; set; }

    [JsonPropertyName("b")]
    public string? Batch { get; set; }

    [JsonPropertyName("r")]
    public int Row { get; set; }

    [JsonPropertyName("c")]
    public string? CustomId { get; set; }

    [JsonPropertyName("m")]
    public int MaxAttempts { get; set; }

    [JsonPropertyName("t")]
    public long? AttemptTimeout { get; set; }

    [JsonPropertyName("d")]
    public long? Deadline { get; set; }

    [JsonPropertyName("e")]
    public long Enqueued { get; set; }

    [JsonPropertyName("x")]
    public IReadOnlyDictionary<string, string>? Metadata { get; set; }

    /// <summary>ms.</summary>
    [JsonPropertyName("k")]
    public long? ResultLife { get; set; }

    [JsonPropertyName("w")]
    public string? TraceParent { get; set; }

    /// <summary>As JSON, in memory that the next call on this thread uses again.</summary>
    public static ReadOnlySpan<byte> Write(EnvelopeHead head)
    {
        if (_writer is not { } writer)
        {
            var buffer = new ArrayBufferWriter<byte>(512);
            _writer = writer = (buffer, new Utf8JsonWriter(buffer, Compact));
        }

        writer.Bytes.ResetWrittenCount();
        writer.Json.Reset();
        // The generated code itself: by way of JsonSerializer, options with another encoder than the generator's are followed property by property.
        EnvelopeJson.Default.EnvelopeHead.SerializeHandler!(writer.Json, head);
        writer.Json.Flush();
        var written = writer.Bytes.WrittenSpan;
        // A head of some megabytes is no reason to keep so many for each thread.
        if (written.Length > 64 * 1024)
            _writer = null;
        return written;
    }
}

[JsonSourceGenerationOptions(DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault)]
[JsonSerializable(typeof(EnvelopeHead))]
internal sealed partial class EnvelopeJson : JsonSerializerContext;
