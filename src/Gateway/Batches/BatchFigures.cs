using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>What a batch has come to.</summary>
internal sealed class BatchFigures
{
    private long _completed;
    private long _failed;
    private long _input;
    private long _cached;
    private long _output;
    private long _reasoning;

    /// <summary>The length of its output; null for none.</summary>
    public long? OutputBytes { get; set; }

    /// <summary>The length of its errors; null for none.</summary>
    public long? ErrorBytes { get; set; }

    /// <summary>Adds a row. Of a cancelled batch, what was never run has not failed.</summary>
    public void Add(JobResult? result, string to)
    {
        if (result is { Status: ResultStatus.Completed })
        {
            _completed++;
            _input += result.Meta.InputTokens;
            _cached += result.Meta.CachedTokens;
            _output += result.Meta.OutputTokens;
            _reasoning += ReasoningTokens.Of(result.Response.Span);
        }
        else if (to != BatchState.Cancelled || result is { Status: ResultStatus.Failed })
        {
            _failed++;
        }
    }

    /// <summary>For the batch's hash.</summary>
    public RedisValue[] Fields() =>
    [
        "completed", _completed, "failed", _failed,
        "input_tokens", _input, "cached_tokens", _cached, "output_tokens", _output, "reasoning_tokens", _reasoning,
    ];
}
