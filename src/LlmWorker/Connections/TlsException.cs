namespace LlmPipeline;

/// <summary>Two fresh connections to the endpoint failed at TLS.</summary>
/// <param name="failure">What the second met.</param>
/// <param name="isConfirmed">Whether nothing speaks against it: no other call of this deployment was answered just before or
/// meanwhile.</param>
/// <param name="inner">The second failure.</param>
internal sealed class TlsException(TlsFailure failure, bool isConfirmed, Exception inner)
    : HttpRequestException(HttpRequestError.SecureConnectionError, failure.Reason, inner)
{
    public TlsFailure Failure { get; } = failure;

    public bool IsConfirmed { get; } = isConfirmed;
}
