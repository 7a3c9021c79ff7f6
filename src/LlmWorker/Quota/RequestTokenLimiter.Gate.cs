using Microsoft.Extensions.Logging;

namespace LlmPipeline;

/// <summary>The part that an operator acts on.</summary>
internal sealed partial class RequestTokenLimiter
{
    /// <summary>Opens the gate, whatever the provider asked for. Where the ledger cannot be reached it stays as it is.</summary>
    public async Task OpenGateAsync()
    {
        try
        {
            await _ledger.OpenGateAsync().ConfigureAwait(false);
        }
        catch (Exception e) when (RedisRetry.MayPass(e))
        {
            LogNotOpened(_logger, e.Message);
            return;
        }

        lock (_lock)
            _last = _last with { Gate = TimeSpan.Zero };
        Turn();
        Changed?.Invoke();
    }

    [LoggerMessage(LogLevel.Warning, "The fleet's quota cannot be reached ({Reason}); its gate stays closed")]
    private static partial void LogNotOpened(ILogger logger, string reason);
}
