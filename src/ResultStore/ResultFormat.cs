using System.Text.Json;
using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>A result as the fields of its hash: few, because each costs memory.</summary>
internal static class ResultFormat
{
    public static readonly RedisValue[] Fields = ["status", "body", "meta"];

    public static string Text(ResultStatus status) => status switch
    {
        ResultStatus.Completed => "completed",
        ResultStatus.Failed => "failed",
        ResultStatus.Cancelled => "cancelled",
        ResultStatus.Expired => "expired",
        _ => throw new ArgumentOutOfRangeException(nameof(status)),
    };

    /// <exception cref="FormatException">The text is no status.</exception>
    public static ResultStatus Status(string? text) => text switch
    {
        "completed" => ResultStatus.Completed,
        "failed" => ResultStatus.Failed,
        "cancelled" => ResultStatus.Cancelled,
        "expired" => ResultStatus.Expired,
        _ => throw new FormatException($"a result has the unknown status '{text}'"),
    };

    public static byte[] Encode(ResultMeta meta) => JsonSerializer.SerializeToUtf8Bytes(StoredMeta.Of(meta), ResultJson.Default.StoredMeta);

    /// <summary>Reads the values of <see cref="Fields"/>; null when there is no result.</summary>
    /// <exception cref="FormatException">They are no result.</exception>
    public static JobResult? Decode(string jobId, RedisValue[] values)
    {
        if (values[0].IsNull)
            return null;
        return new JobResult { JobId = jobId, Status = Status(values[0]), Response = (byte[]?)values[1] ?? [], Meta = Meta(jobId, (byte[]?)values[2]) };
    }

    private static ResultMeta Meta(string jobId, byte[]? json)
    {
        try
        {
            return (json is null ? null : JsonSerializer.Deserialize(json, ResultJson.Default.StoredMeta)?.ToMeta()) ?? new ResultMeta();
        }
        catch (JsonException e)
        {
            throw new FormatException($"the result of job {jobId} has broken meta data", e);
        }
    }
}
