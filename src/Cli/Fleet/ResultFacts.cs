using System.Text.Json.Serialization;

namespace LlmPipeline;

/// <summary>What <c>result --json</c> tells beside the line of output.</summary>
internal sealed class ResultFacts(ResultMeta meta)
{
    public string? Model => meta.Model;

    public string? Deployment => meta.Deployment;

    public long InputTokens => meta.InputTokens;

    public long CachedTokens => meta.CachedTokens;

    public long OutputTokens => meta.OutputTokens;

    /// <summary>Absent where the provider told all tokens; true where some are counted here.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool UsageEstimated => meta.UsageEstimated;

    /// <summary>In the price table's currency; absent when no price is known.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public decimal? Cost => meta.Cost;

    /// <summary>The job whose answer this is a copy of; absent for a call's own.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? CopyOf => meta.CopyOf;

    public int Attempts => meta.Attempts;

    /// <summary>What is special about the completion: lenient, cut_off, empty, refused; absent for nothing.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<AnswerFlags>? Flags => meta.Flags == AnswerFlags.None
        ? null
        : [.. Enum.GetValues<AnswerFlags>().Where(flag => flag != AnswerFlags.None && meta.Flags.HasFlag(flag))];
}
