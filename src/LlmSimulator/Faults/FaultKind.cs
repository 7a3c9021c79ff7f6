namespace LlmPipeline;

/// <summary>What can go wrong with a call.</summary>
public enum FaultKind
{
    /// <summary>Nothing: the call is answered. Named <c>ok</c>.</summary>
    None,

    /// <summary>Status 500 with an error body. Named <c>500</c>.</summary>
    ServerError,

    /// <summary>Status 503 with an error body and Retry-After. Named <c>503</c>.</summary>
    Unavailable,

    /// <summary>Status 429 with an error body and Retry-After, whatever the windows say. Named <c>429</c>.</summary>
    TooManyRequests,

    /// <summary>The connection is reset before an answer. Named <c>reset</c>.</summary>
    Reset,

    /// <summary>There is no answer until the client goes away. Named <c>hang</c>.</summary>
    Hang,

    /// <summary>The connection closes in the middle of the body. Named <c>cut</c>.</summary>
    Cut,

    /// <summary>Status 200 with an HTML page. Named <c>notjson</c>.</summary>
    NotJson,

    /// <summary>The right answer, but its body comes in drips over a second. Named <c>slow</c>.</summary>
    Slow,

    /// <summary>Status 429 with <c>insufficient_quota</c>: the account is out of money. Named <c>quota</c>.</summary>
    QuotaExhausted,

    /// <summary>Status 400 with <c>content_filter</c>. Named <c>filter</c>.</summary>
    ContentFilter,
}
