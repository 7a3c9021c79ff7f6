using System.Text.Json.Serialization;

namespace LlmPipeline;

/// <summary>What an answer means, and so whose fault a failure is.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<DialectOutcome>))]
internal enum DialectOutcome
{
    /// <summary>The answer to the call.</summary>
    [JsonStringEnumMemberName("completion")]
    Completion,

    /// <summary>It may go better on another attempt.</summary>
    [JsonStringEnumMemberName("transient")]
    Transient,

    /// <summary>Rate-limited: the provider asks to come later.</summary>
    [JsonStringEnumMemberName("later")]
    Later,

    /// <summary>The row's own fault: it fails again on every attempt, and other rows do not.</summary>
    [JsonStringEnumMemberName("row")]
    Row,

    /// <summary>The endpoint does not serve the model: every row of this model fails.</summary>
    [JsonStringEnumMemberName("model")]
    Model,

    /// <summary>The key is wrong or the account is empty or suspended: every row of the deployment fails.</summary>
    [JsonStringEnumMemberName("account")]
    Account,

    /// <summary>The request is larger than a rate limit or the endpoint allows; waiting does not help.</summary>
    [JsonStringEnumMemberName("request_too_large")]
    RequestTooLarge,

    /// <summary>The endpoint refuses a field that the product itself has added; the call is sent again without it.</summary>
    [JsonStringEnumMemberName("unsupported")]
    Unsupported,
}
