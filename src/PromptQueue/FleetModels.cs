using System.Globalization;
using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>
/// The models that live workers serve: HASH <c>pq:models</c>, worker → when it announced them, ms by the clock of Redis, and the models, a
/// line each. An announcement is renewed every 10 s and counts for 30 s.
/// </summary>
public sealed class FleetModels
{
    /// <summary>What a worker announces that serves every model.</summary>
    public const string Every = "*";

    internal static readonly TimeSpan Renewal = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Lifetime = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Kept = TimeSpan.FromMinutes(5);

    // A model that is accepted is asked for with each call; one that is not, by whoever tries names.
    private static readonly TimeSpan ReadAgain = TimeSpan.FromSeconds(2), ReadBeforeRefusal = TimeSpan.FromSeconds(0.25);
    private readonly RedisConnections _redis;
    private readonly RedisKey _key;
    private readonly RedisChannel _queues;
    private readonly TimeProvider _time;
    private Announced? _last;

    internal FleetModels(RedisConnections redis, PromptQueueOptions options, TimeProvider time)
    {
        (_redis, _time) = (redis, time);
        _key = QueueKeys.Models(options.KeyPrefix);
        _queues = RedisChannel.Literal(QueueKeys.QueuesChannel(options.KeyPrefix));
    }

    /// <summary>The models of the live workers, each once, <see cref="Every"/> among them where one serves every model; null: no worker lives.</summary>
    public async Task<IReadOnlySet<string>?> ReadAsync()
    {
        var announced = await ReadAsync(ReadAgain).ConfigureAwait(false);
        return announced.Workers == 0 ? null : announced.Models;
    }

    /// <summary>Whether a live worker serves a model.</summary>
    public async Task<bool> IsServedAsync(string model) => (await ReadAsync(ReadAgain).ConfigureAwait(false)).Serves(model);

    /// <summary>
    /// Whether jobs of a model are to be refused: there are live workers, and none serves it. Without a live worker jobs wait for one. A worker
    /// that announces nothing, of an earlier version, may serve every model; on a cluster it is not noticed.
    /// </summary>
    public async Task<bool> IsRefusedAsync(string model)
    {
        if ((await ReadAsync(ReadAgain).ConfigureAwait(false)).Serves(model))
            return false;
        var announced = await ReadAsync(ReadBeforeRefusal).ConfigureAwait(false);
        if (announced.Workers == 0 || announced.Serves(model))
            return false;
        if (_redis.IsCluster)
            return true;
        // Every worker listens for new queues. One that was killed is announced for a while and listens no more.
        var answer = (RedisResult[])(await _redis.Commands.ExecuteAsync("PUBSUB", "NUMSUB", _queues).ConfigureAwait(false))!;
        return (long)answer[1] is var listening && listening > 0 && listening <= announced.Workers;
    }

    /// <summary>Each worker that is announced, also when it was long ago: its models, and when it announced them.</summary>
    internal async Task<IReadOnlyDictionary<string, (DateTimeOffset Seen, IReadOnlyList<string> Models)>> AnnouncedAsync() =>
        (await _redis.Commands.HashGetAllAsync(_key).ConfigureAwait(false)).ToDictionary(entry => (string)entry.Name!, entry => Parse(entry.Value), StringComparer.Ordinal);

    /// <summary>Announces what a worker serves, in place of what it announced before.</summary>
    internal async Task AnnounceAsync(string worker, IEnumerable<string> models)
    {
        var now = (await _redis.Clock.NowAsync().ConfigureAwait(false)).ToUnixTimeMilliseconds();
        await _redis.Commands.HashSetAsync(_key, worker, string.Join('\n', models.Prepend(now.ToString(CultureInfo.InvariantCulture)))).ConfigureAwait(false);
    }

    /// <summary>Ends a worker's announcement.</summary>
    internal Task WithdrawAsync(string worker) => _redis.Commands.HashDeleteAsync(_key, worker);

    private async Task<Announced> ReadAsync(TimeSpan age)
    {
        if (Volatile.Read(ref _last) is { } last && _time.GetElapsedTime(last.Read) < age)
            return last;
        var read = _time.GetTimestamp();
        var now = await _redis.Clock.NowAsync().ConfigureAwait(false);
        var (workers, models) = (0, new HashSet<string>(StringComparer.Ordinal));
        foreach (var entry in await _redis.Commands.HashGetAllAsync(_key).ConfigureAwait(false))
        {
            var (seen, served) = Parse(entry.Value);
            var since = now - seen;
            if (since > Kept)
                await WithdrawAsync(entry.Name!).ConfigureAwait(false);
            if (since > Lifetime)
                continue;
            workers++;
            models.UnionWith(served);
        }

        var announced = new Announced(read, workers, models);
        Volatile.Write(ref _last, announced);
        return announced;
    }

    private static (DateTimeOffset Seen, IReadOnlyList<string> Models) Parse(RedisValue value)
    {
        var lines = ((string)value!).Split('\n');
        var written = long.TryParse(lines[0], CultureInfo.InvariantCulture, out var ms) ? ms : 0;
        return (DateTimeOffset.FromUnixTimeMilliseconds(written), lines[1..]);
    }

    private sealed record Announced(long Read, int Workers, IReadOnlySet<string> Models)
    {
        public bool Serves(string model) => Models.Contains(model) || Models.Contains(Every);
    }
}
