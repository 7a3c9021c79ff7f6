namespace LlmPipeline;

/// <summary>A result as a line of output.</summary>
public static class BatchLine
{
    /// <summary>
    /// The line of a result. An HTTP error is the provider's answer; what never got an answer is an error of the pipeline.
    /// </summary>
    public static OutputLine Of(JobResult result)
    {
        ArgumentNullException.ThrowIfNull(result);
        var meta = result.Meta;
        var isCompletion = result.Status == ResultStatus.Completed;
        var isAnswer = isCompletion || (result.Status == ResultStatus.Failed && meta.StatusCode is not (null or >= 200 and < 300));
        // Here there is an answer of HTTP 200, and it is not what was asked for: both are reported.
        var isUnfit = result.Status == ResultStatus.Failed && meta.StatusCode is not null && !result.Response.IsEmpty;
        var customId = meta.CustomId ?? result.JobId;
        var isSimulated = meta.Flags.HasFlag(AnswerFlags.Simulated);
        return isAnswer
            ? new OutputLine
            {
                JobId = result.JobId,
                CustomId = customId,
                StatusCode = meta.StatusCode ?? 200,
                RequestId = meta.RequestId,
                Body = result.Response,
                IsSimulated = isSimulated
            }
            : new OutputLine
            {
                JobId = result.JobId,
                CustomId = customId,
                StatusCode = isUnfit ? meta.StatusCode : null,
                RequestId = meta.RequestId,
                Body = isUnfit ? result.Response : default,
                ErrorCode = result.Status switch
                {
                    ResultStatus.Expired => "batch_expired",
                    ResultStatus.Cancelled => "batch_cancelled",
                    _ => meta.Error?.Code ?? "unknown"
                },
                ErrorMessage = meta.Error?.Message ?? "no completion",
            };
    }
}
