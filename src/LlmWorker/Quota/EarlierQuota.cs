using System.Globalization;
using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>
/// The quota hash of a deployment's name, which workers of earlier versions use. While one of them is alive, what calls take is added
/// there too, so that all together stay
/// within the limits: the earlier workers see it and make room. Workers of this version are never in its queue of workers.
/// </summary>
internal sealed class EarlierQuota(Func<RedisConnections> redis, RedisKey key, RedisScript settle, TimeProvider time)
{
    private static readonly TimeSpan Check = TimeSpan.FromSeconds(5);

    // By Redis' clock, since it last asked; an idle worker does not ask.
    private static readonly TimeSpan Lifetime = TimeSpan.FromMinutes(10);
    private long _checked;
    private bool _isUsed;

    /// <summary>Whether a worker of an earlier version is alive.</summary>
    /// <returns>Whether it is, and whether that is news: then it does not know yet what the last minute took.</returns>
    public async ValueTask<(bool IsUsed, bool IsNews)> CheckAsync()
    {
        if (_checked != 0 && time.GetElapsedTime(_checked) < Check)
            return (_isUsed, false);
        _checked = time.GetTimestamp();
        var wasUsed = _isUsed;
        _isUsed = (string?)await redis().Commands.HashGetAsync(key, "queue").ConfigureAwait(false) is { Length: > 0 } queue
            && LastAsked(queue) > (await redis().Clock.NowAsync().ConfigureAwait(false) - Lifetime).ToUnixTimeMilliseconds();
        return (_isUsed, _isUsed && !wasUsed);
    }

    /// <summary>Adds to what its minute took.</summary>
    public Task AddAsync(IEnumerable<QuotaSettlement> settlements) => settle.RunAsync(
        redis().Commands, [key],
            ["", "", 0, 0, "", "", .. settlements.SelectMany(one => new RedisValue[] { one.Slot, one.Requests, one.Tokens, one.Pace })]);

    // "worker waiting time;" of each.
    private static long LastAsked(string queue) => queue.Split(';', StringSplitOptions.RemoveEmptyEntries)
        .Select(worker =>
            long.TryParse(worker.AsSpan(worker.LastIndexOf(' ') + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var at) ? at : 0)
        .DefaultIfEmpty().Max();
}
