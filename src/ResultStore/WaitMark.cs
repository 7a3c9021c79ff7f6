using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>
/// Says on Redis that somebody waits for results. While nobody does, those who store results need not tell of each, which would be a tenth of their work.
/// On a cluster it lies on one node and the results on all: there each is told of in any case.
/// </summary>
internal sealed class WaitMark(RedisConnections redis, string prefix, TimeProvider time)
{
    // Longer than a waiter goes without looking.
    private static readonly TimeSpan Life = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Renewal = TimeSpan.FromSeconds(5);
    private State? _state;

    /// <summary>STRING: exists while somebody waits.</summary>
    public RedisKey Key { get; } = prefix + "results:waited";

    /// <summary>Sets it, unless this process has just done so on this connection. A look at the result that is sent after this call misses nothing: what is stored later is told of.</summary>
    public async Task SetAsync()
    {
        var state = new State(time.GetTimestamp(), redis.Losses);
        if (redis.IsCluster || (Volatile.Read(ref _state) is { } last && last.Losses == state.Losses && time.GetElapsedTime(last.At, state.At) < Renewal))
            return;
        try
        {
            await redis.Once.Commands.StringSetAsync(Key, 1, Life).ConfigureAwait(false);
            Volatile.Write(ref _state, state);
        }
        catch (RedisServerException)
        {
            // It has no memory left, or this user may only read: nobody is woken then, and who waits finds the result when he looks by himself.
        }
    }

    private sealed record State(long At, long Losses);
}
