using System.Diagnostics.CodeAnalysis;
using System.Threading.RateLimiting;

namespace LlmPipeline;

/// <summary>
/// One request and its tokens, reserved. It is settled once, with what the provider charges. Disposed without that, the reservation stands:
/// nobody knows what a call that broke off has cost.
/// </summary>
internal sealed class RequestTokenLease : RateLimitLease
{
    private readonly long _slot;
    private readonly TimeSpan? _retryAfter;
    private RequestTokenLimiter? _limiter;

    /// <summary>Granted.</summary>
    public RequestTokenLease(RequestTokenLimiter limiter, long slot, long number, TokenEstimate estimate)
    {
        _limiter = limiter;
        _slot = slot;
        Number = number;
        Estimate = estimate;
        IsAcquired = true;
    }

    /// <summary>Refused.</summary>
    public RequestTokenLease(TimeSpan retryAfter) => _retryAfter = retryAfter;

    /// <summary>The limiter's leases are counted; 0 when it was not granted.</summary>
    public long Number { get; }

    /// <summary>What it was granted for.</summary>
    public TokenEstimate Estimate { get; }

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

    /// <summary>The provider charges so many tokens, prompt and completion together; the request is spent.</summary>
    public void Settle(long chargedTokens) =>
        Interlocked.Exchange(ref _limiter, null)?.Settle(new QuotaSettlement(_slot, 0, chargedTokens - Estimate.Reserve, chargedTokens - Estimate.Pace), chargedTokens);

    /// <summary>The call was never sent: request and tokens go back.</summary>
    public void GiveBack() =>
        Interlocked.Exchange(ref _limiter, null)?.Settle(new QuotaSettlement(_slot, -1, -Estimate.Reserve, -Estimate.Pace), 0);
}
