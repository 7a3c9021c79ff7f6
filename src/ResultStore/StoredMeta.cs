using System.Text.Json.Serialization;

namespace LlmPipeline;

/// <summary>A <see cref="ResultMeta"/> as it is stored; short names, because each result carries them: they are a third of what a result of 1 KB takes beside its body.</summary>
internal sealed class StoredMeta
{
    [JsonPropertyName("c")]
    public string? CustomId { get; set; }

    [JsonPropertyName("r")]
    public string? RequestId { get; set; }

    [JsonPropertyName("s")]
    public int? StatusCode { get; set; }

    [JsonPropertyName("e")]
    public ResultError? Error { get; set; }

    [JsonPropertyName("m")]
    public string? Model { get; set; }

    [JsonPropertyName("d")]
    public string? Deployment { get; set; }

    [JsonPropertyName("i")]
    public long InputTokens { get; set; }

    [JsonPropertyName("h")]
    public long CachedTokens { get; set; }

    [JsonPropertyName("o")]
    public long OutputTokens { get; set; }

    [JsonPropertyName("p")]
    public decimal? Cost { get; set; }

    [JsonPropertyName("f")]
    public string? CopyOf { get; set; }

    [JsonPropertyName("a")]
    public int Attempts { get; set; }

    [JsonPropertyName("q")]
    public int Reasks { get; set; }

    [JsonPropertyName("t")]
    public long Enqueued { get; set; }

    [JsonPropertyName("b")]
    public long Started { get; set; }

    [JsonPropertyName("n")]
    public long Finished { get; set; }

    public static StoredMeta Of(ResultMeta meta) => new()
    {
        CustomId = meta.CustomId,
        RequestId = meta.RequestId,
        StatusCode = meta.StatusCode,
        Error = meta.Error,
        Model = meta.Model,
        Deployment = meta.Deployment,
        InputTokens = meta.InputTokens,
        CachedTokens = meta.CachedTokens,
        OutputTokens = meta.OutputTokens,
        Cost = meta.Cost,
        CopyOf = meta.CopyOf,
        Attempts = meta.Attempts,
        Reasks = meta.Reasks,
        Enqueued = meta.Enqueued,
        Started = meta.Started,
        Finished = meta.Finished,
    };

    public ResultMeta ToMeta() => new()
    {
        CustomId = CustomId,
        RequestId = RequestId,
        StatusCode = StatusCode,
        Error = Error,
        Model = Model,
        Deployment = Deployment,
        InputTokens = InputTokens,
        CachedTokens = CachedTokens,
        OutputTokens = OutputTokens,
        Cost = Cost,
        CopyOf = CopyOf,
        Attempts = Attempts,
        Reasks = Reasks,
        Enqueued = Enqueued,
        Started = Started,
        Finished = Finished,
    };
}

[JsonSourceGenerationOptions(DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault, PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(StoredMeta))]
internal sealed partial class ResultJson : JsonSerializerContext;
