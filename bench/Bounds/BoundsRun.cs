using System.Globalization;
using StackExchange.Redis;

namespace LlmPipeline.Bench;

/// <summary>A Redis that is full of jobs, and calls of each verb on it.</summary>
internal sealed class BoundsRun : IAsyncDisposable
{
    private const string Batch = "bounds";
    private const string Worker = "worker";
    private const int EntriesPerFill = 50_000;
    private const int JobsPerCall = 256;
    private static readonly TimeSpan Limit = TimeSpan.FromMilliseconds(5);

    private const string Fill =
        """
        local text, from, to = {}, tonumber(ARGV[2]), tonumber(ARGV[3])
        for i = from, to do
          if ARGV[1] == 'ZADD' then text[#text + 1] = ARGV[5] + i text[#text + 1] = ARGV[4] .. i
          elseif ARGV[1] == 'HSET' then text[#text + 1] = ARGV[4] .. i text[#text + 1] = ARGV[5]
          else redis.call('HSET', ARGV[4] .. i, 'expected', 10, 'completed', 1, 'failed', 0, 'cancelled', 0) end
        end
        for i = 1, #text, 5000 do redis.call(ARGV[1], KEYS[1], unpack(text, i, math.min(i + 4999, #text))) end
        """;

    private readonly BenchRedis _server;
    private readonly OwnBatch _batch;
    private readonly int _jobs;
    private readonly IServer _log;
    private readonly IDatabase _database;
    private readonly ConnectionMultiplexer _connection;
    private QueuePartition _partition = null!;
    private int _tokens;
    private int _next;

    private BoundsRun(BenchRedis server, OwnBatch batch, ConnectionMultiplexer connection, int jobs)
    {
        _server = server;
        _batch = batch;
        _connection = connection;
        _jobs = jobs;
        _database = connection.GetDatabase();
        _log = connection.GetServers()[0];
    }

    public static async Task<BoundsRun> StartAsync(int jobs, int batches)
    {
        var server = await BenchRedis.StartAsync("--slowlog-log-slower-than", "500", "--slowlog-max-len", "100000");
        var connection = await ConnectionMultiplexer.ConnectAsync($"{server.Address},allowAdmin=true,asyncTimeout=60000");
        var run = new BoundsRun(server, await OwnBatch.OpenAsync(server.Address, Batch, jobs, partitions: 1), connection, jobs);
        await run.FillAsync(batches);
        return run;
    }

    /// <summary>Calls each verb, and tells of each how many scripts took more than 0.5 ms, which the slow log holds, the longest, and how many took more than 5 ms.</summary>
    public async IAsyncEnumerable<(string Verb, int Calls, TimeSpan Longest, int Over)> MeasureAsync(int rounds)
    {
        var claimed = new Queue<IReadOnlyList<ClaimedJob>>();
        var (batches, queue) = (_batch.Queue.Batches, _batch.Queue);
        yield return await RunAsync("enqueue 500", rounds, async _ =>
        {
            await _batch.EnqueueAsync(_next, 500);
            _next += 500;
        });
        yield return await RunAsync("claim 256", rounds, async _ => claimed.Enqueue(await ClaimAsync()));
        yield return await RunAsync("renew 256", rounds, _ => _partition.RenewAsync(Worker, claimed.Peek()));
        yield return await RunAsync("release 256", rounds / 4, _ => _partition.ReleaseAsync(claimed.Dequeue()));
        yield return await RunAsync("retry 256", rounds / 4, _ => _partition.RetryAsync([.. claimed.Dequeue().Select(job => (job, 1, TimeSpan.FromHours(1)))]));
        yield return await RunAsync("bury 256", rounds / 4, _ => _partition.BuryAsync(claimed.Dequeue()));
        while (claimed.Count > 2)
        {
            var ended = claimed.Dequeue();
            await _partition.CompleteAsync([.. ended.Select(job => (job, EndState.Completed))]);
        }

        yield return await RunAsync("complete 256", 2, _ => _partition.CompleteAsync([.. claimed.Dequeue().Select(job => (job, EndState.Completed))]));
        yield return await RunAsync("find what a lost claim took", 1, async _ => await _partition.ClaimAsync(JobsPerCall, "lost", Worker, repeated: true));
        yield return await RunAsync("reclaim", 1, _ => _partition.ReclaimAsync(CancellationToken.None));
        yield return await RunAsync("ask 500 jobs to stop", rounds, n => queue.CancelAsync(OwnBatch.Model, [.. Rows(n, rounds)]));
        yield return await RunAsync("sweep, all places", 1, _ => SweepAsync());
        yield return await RunAsync("claim behind what a sweep took", rounds, async _ => claimed.Enqueue(await ClaimAsync()));
        yield return await RunAsync("count", rounds, _ => queue.StatsAsync(OwnBatch.Model));
        yield return await RunAsync("read 1,000 ended rows", rounds, n => _partition.FollowAsync(Batch, n * 100, "", 1000));
        yield return await RunAsync("stop the batch", 1, _ => batches.CancelAsync(Batch));
        yield return await RunAsync("quota, unused for a day", rounds, async n =>
        {
            await _connection.GetDatabase().KeyCopyAsync("{quota:idle}", $"{{quota:idle-{n}}}");
            await new RedisLedger(() => _batch.Redis, $"idle-{n}").ExchangeAsync(null, new QuotaAsk(new QuotaAmount(6000, 6_000_000), QuotaAsk.Unknown, 1, [(1000, 1000)]));
        });
        yield return await RunAsync("look where a job is", rounds, n => _partition.ExamineAsync($"{Batch}.{n + 1}", mend: false));
    }

    public async ValueTask DisposeAsync()
    {
        await _connection.DisposeAsync();
        await _batch.DisposeAsync();
        await _server.DisposeAsync();
    }

    private async Task FillAsync(int batches)
    {
        const int Chunk = 100_000;
        for (; _next < _jobs / 2; _next += Chunk)
            await _batch.EnqueueAsync(_next, Math.Min(Chunk, (_jobs / 2) - _next));
        _next = _jobs / 2;
        _partition = (await _batch.Queue.PartitionsAsync(OwnBatch.Model))[0];
        var keys = _partition.Keys;
        await FillAsync(keys.Delayed, "ZADD", _jobs / 4, "later.", "9000000000000");
        await FillAsync(keys.Inflight, "ZADD", _jobs / 4, "running.", "8000000000000");
        await FillAsync(keys.Leases, "HSET", _jobs / 4, "running.", "token|0|0|another");
        await FillAsync(keys.Deadlines, "ZADD", _jobs / 4, "running.", "1000000");
        await FillAsync(keys.Jobs, "HSET", _jobs / 4, "running.", "1");
        await FillAsync(keys.Stopped, "ZADD", batches, "another-batch-", "8000000000000");
        await FillAsync(keys.Workers, "ZADD", 10_000, "gone-", "1000000");
        await FillAsync(keys.Meta, "BATCH", batches, keys.Batch("another-batch-").ToString(), "");
        var slot = (TimeProvider.System.GetUtcNow() - TimeSpan.FromDays(1)).ToUnixTimeMilliseconds() / 100;
        await _database.HashSetAsync("{quota:idle}", [
            new("began", (slot - 5000) * 100), new("first", slot - 603), new("at", slot * 100), new("s1", 6040), new("s2", 6_040_000),
            .. Enumerable.Range(0, 604).SelectMany(n => new HashEntry[] { new($"1:{slot - n}", 10), new($"2:{slot - n}", 10_000) })]);
    }

    private async Task FillAsync(RedisKey key, string verb, int entries, string prefix, string value)
    {
        for (var from = 1; from <= entries; from += EntriesPerFill)
            await _database.ScriptEvaluateAsync(Fill, [key], [verb, from, Math.Min(entries, from + EntriesPerFill - 1), prefix, value]);
    }

    private async Task<IReadOnlyList<ClaimedJob>> ClaimAsync() =>
        (await _partition.ClaimAsync(JobsPerCall, string.Create(CultureInfo.InvariantCulture, $"token-{_tokens++}"), Worker)).Jobs;

    // Of each round some that lie together, from the front of the lane to its end.
    private IEnumerable<string> Rows(int round, int rounds)
    {
        var first = Math.Max(rounds * JobsPerCall * 2, (int)(_jobs / 2L * round / rounds));
        return Enumerable.Range(first + 1, 500).Select(row => string.Create(CultureInfo.InvariantCulture, $"{Batch}.{row}"));
    }

    private async Task SweepAsync()
    {
        for (var place = 0; place < QueuePartition.Places; place++)
        {
            for (var from = 0L; from >= 0;)
            {
                (var claimed, from) = await _partition.SweepAsync(string.Create(CultureInfo.InvariantCulture, $"token-{_tokens++}"), Worker, place, from, repeated: false);
                if (claimed.Jobs.Count > 0)
                    await _partition.CompleteAsync([.. claimed.Jobs.Select(job => (job, EndState.Cancelled))]);
            }
        }
    }

    private async Task<(string Verb, int Calls, TimeSpan Longest, int Over)> RunAsync(string verb, int rounds, Func<int, Task> call)
    {
        await _log.SlowlogResetAsync();
        for (var n = 0; n < Math.Max(1, rounds); n++)
            await call(n);
        var scripts = (await _log.SlowlogGetAsync(100_000))
            .Where(entry => entry.Arguments.Length > 1 && ((string)entry.Arguments[0]!).StartsWith("EVAL", StringComparison.OrdinalIgnoreCase)).ToList();
        return (verb, scripts.Count, scripts.Select(entry => entry.Duration).DefaultIfEmpty().Max(), scripts.Count(entry => entry.Duration > Limit));
    }
}
