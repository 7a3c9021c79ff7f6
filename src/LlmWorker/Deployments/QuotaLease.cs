namespace LlmPipeline;

/// <summary>A call's part of the limits of its model and, where these bound several models together, of its deployment.</summary>
internal readonly struct QuotaLease(RequestTokenLease model, RequestTokenLease? shared) : IDisposable
{
    /// <summary>Of the model's calls, counted from 1.</summary>
    public long Number => model.Number;

    /// <summary>What it was granted for.</summary>
    public TokenEstimate Estimate => model.Estimate;

    /// <summary>The provider charges these tokens; the request is spent.</summary>
    public void Settle(long chargedTokens)
    {
        model.Settle(chargedTokens);
        shared?.Settle(chargedTokens);
    }

    /// <summary>The call was never sent: request and tokens go back.</summary>
    public void GiveBack()
    {
        model.GiveBack();
        shared?.GiveBack();
    }

    public void Dispose()
    {
        model.Dispose();
        shared?.Dispose();
    }
}
