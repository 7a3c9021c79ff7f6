using StackExchange.Redis;
using StackExchange.Redis.Configuration;

namespace LlmPipeline;

/// <summary>What holds for a connection where its address does not say otherwise.</summary>
internal sealed class RedisDefaults : DefaultOptionsProvider
{
    private static readonly LinearRetry Retry = new(250);

    /// <inheritdoc/>
    public override TimeSpan? ConnectTimeout => TimeSpan.FromSeconds(5);

    /// <inheritdoc/>
    public override int ConnectRetry => 1;

    /// <summary>Also of asynchronous calls: their limit is this one's where it is not set.</summary>
    public override TimeSpan SyncTimeout => TimeSpan.FromSeconds(10);

    /// <inheritdoc/>
    public override TimeSpan KeepAliveInterval => TimeSpan.FromSeconds(10);

    /// <summary>A Redis that was restarted is found again within a second.</summary>
    public override IReconnectRetryPolicy ReconnectRetryPolicy => Retry;

    /// <inheritdoc/>
    public override bool AbortOnConnectFail => true;

    /// <inheritdoc/>
    public override bool IncludeDetailInExceptions => false;

    /// <summary>None: nobody announces a master on it, and a user of few permissions may not listen.</summary>
    public override string ConfigurationChannel => "";

    /// <summary>None, for the same reason.</summary>
    public override string TieBreaker => "";

    /// <summary>For CONFIG GET, by which the preflight sees what is unsafe.</summary>
    public override bool AllowAdmin => true;

    /// <inheritdoc/>
    protected override string GetDefaultClientName() => "llmpipe";
}
