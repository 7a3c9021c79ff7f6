using System.Globalization;

namespace LlmPipeline;

/// <summary>Between a row of the input, its job and its line of output.</summary>
public static class ResultLine
{
    /// <summary>The id of the job of a row.</summary>
    public static string JobId(string batch, int row) => string.Create(CultureInfo.InvariantCulture, $"{batch}.{row}");

    /// <summary>The row of a job of <paramref name="batch"/>; 0 for another's.</summary>
    public static int RowOf(string batch, string jobId) =>
        jobId.Length > batch.Length + 1 && jobId.StartsWith(batch, StringComparison.Ordinal) && jobId[batch.Length] == '.'
        && int.TryParse(jobId.AsSpan(batch.Length + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var row)
            ? row
            : 0;

    /// <summary>The line of a result. An HTTP error is the provider's answer; what never got an answer is an error of ours.</summary>
    public static OutputLine Of(JobResult result)
    {
        var meta = result.Meta;
        var isCompletion = result.Status == ResultStatus.Completed;
        var isAnswer = isCompletion || (result.Status == ResultStatus.Failed && meta.StatusCode is not (null or >= 200 and < 300));
        // Here there is an answer of HTTP 200, and it is not what was asked for: both are reported.
        var isUnfit = result.Status == ResultStatus.Failed && meta.StatusCode is not null && !result.Response.IsEmpty;
        var customId = meta.CustomId ?? result.JobId;
        return isAnswer
            ? new OutputLine { JobId = result.JobId, CustomId = customId, StatusCode = meta.StatusCode ?? 200, RequestId = meta.RequestId, Body = result.Response }
            : new OutputLine
            {
                JobId = result.JobId,
                CustomId = customId,
                StatusCode = isUnfit ? meta.StatusCode : null,
                RequestId = meta.RequestId,
                Body = isUnfit ? result.Response : default,
                ErrorCode = result.Status switch { ResultStatus.Expired => "batch_expired", ResultStatus.Cancelled => "batch_cancelled", _ => meta.Error?.Code ?? "unknown" },
                ErrorMessage = meta.Error?.Message ?? "no completion",
            };
    }
}
