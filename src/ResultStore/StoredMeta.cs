using System.Text.Json.Serialization;

namespace LlmPipeline;

/// <summary>A <see cref="ResultMeta"/> as it is stored; short names, because each result carries them: they are a third of what a result of 1 KB takes beside its body.</summary>
internal sealed class StoredMeta
{
    [JsonPropertyName("c")]
    public string? CustomId { get; set; }

    [JsonPropertyName("r")]
    public string? RequestId { get; set; }

    /// <summary>0, which is left out, for what nearly all have: 200. -1 for none.</summary>
    [JsonPropertyName("s")]
    public int StatusCode { get; set; }

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

    [JsonPropertyName("u")]
    public bool UsageEstimated { get; set; }

    [JsonPropertyName("p")]
    public decimal? Cost { get; set; }

    [JsonPropertyName("f")]
    public string? CopyOf { get; set; }

    /// <summary>Attempts beyond the first.</summary>
    [JsonPropertyName("a")]
    public int MoreAttempts { get; set; }

    [JsonPropertyName("q")]
    public int Reasks { get; set; }

    [JsonPropertyName("l")]
    public AnswerFlags Flags { get; set; }

    [JsonPropertyName("t")]
    public long Enqueued { get; set; }

    /// <summary>Milliseconds after <see cref="Enqueued"/>; null when no call was started.</summary>
    [JsonPropertyName("b")]
    public long? StartedAfter { get; set; }

    /// <summary>Milliseconds after the start; where no call was started, after <see cref="Enqueued"/>.</summary>
    [JsonPropertyName("n")]
    public long FinishedAfter { get; set; }

    public static StoredMeta Of(ResultMeta meta) => new()
    {
        CustomId = meta.CustomId,
        RequestId = meta.RequestId,
        StatusCode = meta.StatusCode switch { 200 => 0, null => -1, { } status => status },
        Error = meta.Error,
        Model = meta.Model,
        Deployment = meta.Deployment,
        InputTokens = meta.InputTokens,
        CachedTokens = meta.CachedTokens,
        OutputTokens = meta.OutputTokens,
        UsageEstimated = meta.UsageEstimated,
        Cost = meta.Cost,
        CopyOf = meta.CopyOf,
        MoreAttempts = meta.Attempts - 1,
        Reasks = meta.Reasks,
        Flags = meta.Flags,
        Enqueued = meta.Enqueued,
        StartedAfter = meta.Started == 0 ? null : meta.Started - meta.Enqueued,
        FinishedAfter = meta.Finished - (meta.Started == 0 ? meta.Enqueued : meta.Started),
    };

    public ResultMeta ToMeta() => new()
    {
        CustomId = CustomId,
        RequestId = RequestId,
        StatusCode = StatusCode switch { 0 => 200, -1 => null, var status => status },
        Error = Error,
        Model = Model,
        Deployment = Deployment,
        InputTokens = InputTokens,
        CachedTokens = CachedTokens,
        OutputTokens = OutputTokens,
        UsageEstimated = UsageEstimated,
        Cost = Cost,
        CopyOf = CopyOf,
        Attempts = MoreAttempts + 1,
        Reasks = Reasks,
        Flags = Flags,
        Enqueued = Enqueued,
        Started = StartedAfter is { } after ? Enqueued + after : 0,
        Finished = Enqueued + (StartedAfter ?? 0) + FinishedAfter,
    };
}

[JsonSourceGenerationOptions(DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault, PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(StoredMeta))]
internal sealed partial class ResultJson : JsonSerializerContext;
