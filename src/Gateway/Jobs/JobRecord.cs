using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace LlmPipeline;

/// <summary>What a gateway knows of a job beside the queue and its result; short names, because each job has one.</summary>
internal sealed record JobRecord
{
    /// <summary>The model, which is the queue.</summary>
    [JsonPropertyName("m")]
    public required string Model { get; init; }

    /// <summary>When it was made, Unix ms by the clock of Redis.</summary>
    [JsonPropertyName("c")]
    public long Created { get; init; }

    /// <summary>The caller's own data; null for none.</summary>
    [JsonPropertyName("x")]
    public Dictionary<string, string>? Metadata { get; init; }

    /// <summary>Of a job with an idempotency key: the hash of what was asked for. Null for one without.</summary>
    [JsonPropertyName("h")]
    public string? Asked { get; init; }

    /// <summary>Of a job with an idempotency key: whether it is known to be on the queue, or to have been there.</summary>
    [JsonPropertyName("q")]
    public bool IsEnqueued { get; init; }
}

[JsonSourceGenerationOptions(DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault)]
[JsonSerializable(typeof(JobRecord))]
internal sealed partial class JobRecordJson : JsonSerializerContext
{
    public static readonly JobRecordJson Compact = new(new JsonSerializerOptions
    {
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    });
}
