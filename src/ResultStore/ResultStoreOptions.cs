using System.ComponentModel.DataAnnotations;

namespace LlmPipeline;

/// <summary>How a process keeps results.</summary>
public sealed class ResultStoreOptions
{
    /// <summary>Goes before every key, so that several installations can share one Redis. Default: nothing.</summary>
    [RegularExpression("[^{}]*", ErrorMessage = "{0} must not hold braces: they mark the part of a key that names its cluster slot")]
    public string KeyPrefix { get; set; } = "";

    /// <summary>How long a result is kept after it was stored; default 30 days.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "3650.00:00:00")]
    public TimeSpan Ttl { get; set; } = TimeSpan.FromDays(30);
}
