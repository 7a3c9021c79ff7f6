using System.Text.Json.Serialization;

namespace LlmPipeline;

/// <summary>A limit that calls wait for.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<QuotaLimit>))]
public enum QuotaLimit
{
    /// <summary>Requests per minute.</summary>
    Requests,

    /// <summary>Tokens per minute.</summary>
    Tokens,

    /// <summary>Calls at the same time.</summary>
    Concurrency,
}
