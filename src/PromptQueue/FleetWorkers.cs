using System.Reflection;
using System.Text.Json;
using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>
/// The workers of a fleet: HASH <c>pq:workers</c>, worker → <see cref="WorkerAnnouncement"/> as JSON, renewed with the models of
/// <see cref="FleetModels"/> every 10 s. Earlier versions read and write only the models, so both are read.
/// </summary>
public sealed class FleetWorkers
{
    private const int JobsPerCall = 500;

    // One that was killed stays announced for a while; after this it is not listed, and after the other time it is removed.
    private static readonly TimeSpan Lifetime = TimeSpan.FromSeconds(30), Kept = TimeSpan.FromMinutes(5);
    private static readonly string Version =
        typeof(FleetWorkers).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "";

    private readonly RedisConnections _redis;
    private readonly PromptQueue _queue;
    private readonly RedisKey _key;

    internal FleetWorkers(RedisConnections redis, PromptQueue queue)
    {
        (_redis, _queue) = (redis, queue);
        _key = QueueKeys.FleetWorkers(queue.Options.KeyPrefix);
    }

    /// <summary>
    /// The workers that were seen within the last 30 s, in the order of their names. A worker that was killed is listed for that long. One of a
    /// version that announces nothing is listed while it runs jobs: that it lives is told by its leases alone.
    /// Calls: two for each partition of a registered queue, and one more for each 500 running jobs.
    /// </summary>
    public async Task<IReadOnlyList<WorkerInfo>> ListAsync()
    {
        var now = await _redis.Clock.NowAsync().ConfigureAwait(false);
        var (announced, models) = (await ReadAsync().ConfigureAwait(false), await _queue.Models.AnnouncedAsync().ConfigureAwait(false));
        var (seen, running) = (new Dictionary<string, DateTimeOffset>(StringComparer.Ordinal), new Dictionary<string, int>(StringComparer.Ordinal));
        foreach (var (worker, announcement) in announced)
            See(worker, DateTimeOffset.FromUnixTimeMilliseconds(announcement.Seen));
        foreach (var (worker, announcement) in models)
            See(worker, announcement.Seen);
        foreach (var queue in await _queue.QueuesAsync().ConfigureAwait(false))
        {
            foreach (var partition in await _queue.PartitionsAsync(queue).ConfigureAwait(false))
                await CountAsync(partition.Keys, See, running).ConfigureAwait(false);
        }

        return [.. seen.Where(one => now - one.Value <= Lifetime && IsListed(one.Key)).OrderBy(one => one.Key, StringComparer.Ordinal).Select(one =>
        {
            var about = announced.GetValueOrDefault(one.Key);
            IReadOnlyList<string>? served = models.TryGetValue(one.Key, out var serves) ? [.. serves.Models.Order(StringComparer.Ordinal)] : null;
            return new WorkerInfo(one.Key, about?.Host, about?.Version, served, about?.Concurrency, running.GetValueOrDefault(one.Key), one.Value);
        })];

        // Who has withdrawn its announcement has ended, however lately it was seen.
        bool IsListed(string worker) => announced.ContainsKey(worker) || models.ContainsKey(worker) || running.ContainsKey(worker);

        // The time of a partition may be ahead of the clock of Redis, which has stepped back.
        void See(string worker, DateTimeOffset at) =>
            seen[worker] = seen.TryGetValue(worker, out var before) && before > at ? before : at < now ? at : now;
    }

    /// <summary>Announces a worker, in place of what it announced before. The first of a process removes those of workers that are gone.</summary>
    /// <param name="worker">Its name.</param>
    /// <param name="concurrency">How many calls it makes at the same time at most.</param>
    /// <param name="isFirst">Whether this process announces the worker for the first time.</param>
    internal async Task AnnounceAsync(string worker, int concurrency, bool isFirst)
    {
        var now = await _redis.Clock.NowAsync().ConfigureAwait(false);
        var announcement = new WorkerAnnouncement(now.ToUnixTimeMilliseconds(), Environment.MachineName, Version, concurrency);
        await _redis.Commands.HashSetAsync(
            _key, worker, JsonSerializer.Serialize(announcement, WorkerAnnouncementJson.Default.WorkerAnnouncement)).ConfigureAwait(false);
        if (!isFirst)
            return;
        foreach (var (other, old) in await ReadAsync().ConfigureAwait(false))
        {
            if (now - DateTimeOffset.FromUnixTimeMilliseconds(old.Seen) > Kept)
                await WithdrawAsync(other).ConfigureAwait(false);
        }
    }

    /// <summary>Ends a worker's announcement.</summary>
    internal Task WithdrawAsync(string worker) => _redis.Commands.HashDeleteAsync(_key, worker);

    private async Task<Dictionary<string, WorkerAnnouncement>> ReadAsync() =>
        (await _redis.Commands.HashGetAllAsync(_key).ConfigureAwait(false)).ToDictionary(
            entry => (string)entry.Name!,
            entry => JsonSerializer.Deserialize((string)entry.Value!, WorkerAnnouncementJson.Default.WorkerAnnouncement)!,
            StringComparer.Ordinal);

    /// <summary>Reads the heartbeats of a partition, and whose its leases are.</summary>
    private async Task CountAsync(QueueKeys keys, Action<string, DateTimeOffset> see, Dictionary<string, int> running)
    {
        foreach (var beat in await _redis.Commands.SortedSetRangeByRankWithScoresAsync(keys.Workers, 0, -1).ConfigureAwait(false))
            see((string)beat.Element!, DateTimeOffset.FromUnixTimeMilliseconds((long)beat.Score));
        for (var first = 0; ; first += JobsPerCall)
        {
            var ids = await _redis.Commands.SortedSetRangeByRankAsync(keys.Inflight, first, first + JobsPerCall - 1).ConfigureAwait(false);
            if (ids.Length == 0)
                return;
            foreach (var lease in await _redis.Commands.HashGetAsync(keys.Leases, ids).ConfigureAwait(false))
            {
                // 'token|attempts charged|times lost|worker'; a job that was settled meanwhile has none.
                if (lease.IsNull || ((string)lease!).LastIndexOf('|') is not (>= 0 and var bar) || bar + 1 == ((string)lease!).Length)
                    continue;
                var worker = ((string)lease!)[(bar + 1)..];
                running[worker] = running.GetValueOrDefault(worker) + 1;
            }
        }
    }
}
