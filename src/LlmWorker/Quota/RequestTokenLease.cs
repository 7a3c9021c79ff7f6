using System.Diagnostics.CodeAnalysis;
using System.Threading.RateLimiting;

namespace LlmPipeline;

/// <summary>
/// One request and its estimated tokens, reserved. Settled once, with what the call used; disposed without that, the estimate stands:
/// nobody knows what a call that broke off has cost.
/// </summary>
public sealed class RequestTokenLease : RateLimitLease
{
    private readonly int _reserved;
    private readonly TimeSpan? _retryAfter;
    private RequestTokenLimiter? _limiter;

    internal RequestTokenLease(RequestTokenLimiter? limiter, int reserved, TimeSpan? retryAfter)
    {
        _limiter = limiter;
        _reserved = reserved;
        _retryAfter = retryAfter;
        IsAcquired = limiter is not null;
    }

    /// <inheritdoc/>
    public override bool IsAcquired { get; }

    /// <inheritdoc/>
    public override IEnumerable<string> MetadataNames => _retryAfter is null ? [] : [MetadataName.RetryAfter.Name];

    /// <inheritdoc/>
    public override bool TryGetMetadata(string metadataName, [NotNullWhen(true)] out object? metadata)
    {
        metadata = metadataName == MetadataName.RetryAfter.Name ? _retryAfter : null;
        return metadata is not null;
    }

    /// <summary>The call used so many tokens, prompt and completion together; zero when the provider refused it.</summary>
    public void Settle(long actualTokens)
    {
        if (Interlocked.Exchange(ref _limiter, null) is not { } limiter)
            return;
        if (actualTokens > 0)
            limiter.Learn(actualTokens);
        limiter.Return(0, _reserved - actualTokens);
    }

    /// <summary>The call was never sent: request and tokens go back.</summary>
    public void GiveBack() => Interlocked.Exchange(ref _limiter, null)?.Return(1, _reserved);
}
