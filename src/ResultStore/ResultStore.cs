using System.Reflection;
using System.Runtime.CompilerServices;
using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>The stored ends of jobs, by job id, and waiting for them.</summary>
public sealed class ResultStore
{
    private static readonly RedisScript Put = RedisScript.Load(Assembly.GetExecutingAssembly(), "put");
    private static readonly RedisScript Statuses = RedisScript.Load(Assembly.GetExecutingAssembly(), "statuses");
    private static readonly RedisScript ForgetError = RedisScript.Load(Assembly.GetExecutingAssembly(), "forget-error");
    private static readonly RedisScript Revoke = RedisScript.Load(Assembly.GetExecutingAssembly(), "revoke");
    private const int MostPuts = 256, MostStatuses = 500, MostDeletes = 500;
    private const long BytesAtOnce = 16 * 1024 * 1024;
    private readonly RedisConnections _redis;
    private readonly ResultStoreOptions _options;
    private readonly TimeProvider _time;
    private readonly WaitMark _mark;
    private readonly StreamPauses _pauses;
    private readonly LargeResults _large;

    /// <summary>Results on the Redis of <paramref name="redis"/>.</summary>
    public ResultStore(RedisConnections redis, ResultStoreOptions options, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(redis);
        ArgumentNullException.ThrowIfNull(options);
        _redis = redis;
        _options = options;
        _time = time;
        _mark = new WaitMark(redis, options.KeyPrefix, time);
        _large = new LargeResults(redis, options, _mark);
        _pauses = new StreamPauses(redis, PauseChannels, time);
    }

    /// <summary>Every Redis takes a body of this size: <c>proto-max-bulk-len</c> is 1 MiB at least.</summary>
    public const int SmallBytes = 1024 * 1024;

    /// <summary>How this process keeps results.</summary>
    public ResultStoreOptions Options => _options;

    /// <summary>Whether results lie apart, in the slots of a cluster, so that each is a call of its own.</summary>
    public bool IsSpread => _redis.IsCluster;

    /// <summary>What the key of each result begins with, before the job's id.</summary>
    public string KeyStart => _options.KeyPrefix + "result:";

    /// <summary>
    /// Stores the end of a job: a completion replaces anything but a completion, an error is stored only where nothing is. Safe to repeat.
    /// </summary>
    /// <returns>The status that is stored now, which may be another's.</returns>
    /// <exception cref="ReplicasBehindException">It is stored, but fewer than <see cref="ResultStoreOptions.Replicas"/> have it in time.</exception>
    public async Task<ResultStatus> PutAsync(JobResult result) => (await StoreAsync(result).ConfigureAwait(false)).Stored;

    /// <summary>
    /// As <see cref="PutAsync"/>, and reports a completion that came too late: another one is stored, and both were paid.
    /// </summary>
    /// <exception cref="ReplicasBehindException">As above.</exception>
    public async Task<(ResultStatus Stored, bool IsPaidTwice)> StoreAsync(JobResult result) =>
        (await StoreAsync([result]).ConfigureAwait(false))[0];

    /// <summary>The same for many: one call where their keys lie together, which on a cluster is one for each slot. Where it fails, some may be stored.</summary>
    /// <param name="results">The results. Redis is busy with one call of up to 256 of them for as long as it takes: large ones go better in several calls.</param>
    /// <returns>For each, in their order, as above.</returns>
    /// <exception cref="ReplicasBehindException">As above.</exception>
    public async Task<IReadOnlyList<(ResultStatus Stored, bool IsPaidTwice)>> StoreAsync(IReadOnlyList<JobResult> results)
    {
        ArgumentNullException.ThrowIfNull(results);
        if (results is [{ Response.Length: > SmallBytes } large] && await _large.StoreAsync(Key(large.JobId), large).ConfigureAwait(false) is { } done)
            return [done];
        var stored = new (ResultStatus Stored, bool IsPaidTwice)[results.Count];
        if (results.Any(result => result.Life != results[0].Life))
            return await ResultLives.StoreAsync(results, same => StoreAsync(same)).ConfigureAwait(false);
        await ByPlaceAsync(results, result => result.JobId, MostPuts, async (keys, places) =>
        {
            var arguments = new RedisValue[3 + (3 * keys.Length)];
            (arguments[0], arguments[1], arguments[2]) = ((long)(results[0].Life ?? _options.Ttl).TotalSeconds, _redis.PublishVerb, IsSpread ? "1" : "0");
            for (var n = 0; n < keys.Length; n++)
            {
                var result = results[places[n]];
                (arguments[3 + (3 * n)], arguments[4 + (3 * n)], arguments[5 + (3 * n)]) = (ResultFormat.Text(result.Status), result.Response, ResultFormat.Encode(result.Meta));
            }

            var isLarge = places.Sum(place => (long)results[place].Response.Length) > SmallBytes;
            RedisKey[] all = [IsSpread ? keys[0] : _mark.Key, .. keys];
            var answer = (RedisResult[])(await _redis.RunAsync(
                Put, all, arguments, new ReplicaWait(_options.Replicas, _options.ReplicaTimeout), isLarge).ConfigureAwait(false))!;
            // Where nothing stood before, it says nothing.
            for (var n = 0; n < keys.Length; n++)
                stored[places[n]] = answer.Length == 0 ? (results[places[n]].Status, false) : (ResultFormat.Status((string?)answer[2 * n]), (int)answer[(2 * n) + 1] == 1);
        }).ConfigureAwait(false);
        return stored;
    }

    /// <summary>The result of a job; null when there is none yet, or no longer.</summary>
    public async Task<JobResult?> GetAsync(string jobId) =>
        ResultFormat.Decode(jobId, await _redis.Commands.HashGetAsync(Key(jobId), ResultFormat.Fields).ConfigureAwait(false));

    /// <summary>The results of many jobs, in their order, in one round trip; null where there is none.</summary>
    public Task<IReadOnlyList<JobResult?>> GetAsync(IReadOnlyCollection<string> jobIds) => GetAsync(jobIds, areLarge: false);

    /// <summary>The same for any number and size: about 16 MiB of bodies are fetched at a time at most, a larger one by itself.</summary>
    /// <param name="jobIds">The jobs.</param>
    /// <param name="cancellationToken">Ends it with an exception.</param>
    public async IAsyncEnumerable<JobResult?> ReadAsync(IReadOnlyList<string> jobIds, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(jobIds);
        for (var first = 0; first < jobIds.Count;)
        {
            var page = jobIds.Skip(first).Take(MostStatuses).ToArray();
            var sizes = await RedisRetry.UntilAnsweredAsync(
                () => Task.WhenAll(page.Select(SizeAsync)), _time, null, cancellationToken).ConfigureAwait(false);
            for (int from = 0, next = 0; from < page.Length; from = next)
            {
                for (var bytes = 0L; next < page.Length && (next == from || bytes + sizes[next] <= BytesAtOnce); next++)
                    bytes += sizes[next];
                var part = page[from..next];
                var isLarge = sizes[from..next].Sum() > SmallBytes;
                foreach (var result in await RedisRetry.UntilAnsweredAsync(() => GetAsync(part, isLarge), _time, null, cancellationToken)
                    .ConfigureAwait(false))
                    yield return result;
            }

            first += page.Length;
        }
    }

    /// <summary>How jobs ended, in their order, in one round trip; null where there is no result.</summary>
    public async Task<IReadOnlyList<ResultStatus?>> StatusesAsync(IReadOnlyList<string> jobIds)
    {
        ArgumentNullException.ThrowIfNull(jobIds);
        var statuses = new ResultStatus?[jobIds.Count];
        await ByPlaceAsync(jobIds, id => id, MostStatuses, async (keys, places) =>
        {
            var answer = (RedisResult[])(await Statuses.RunAsync(_redis.Commands, keys, []).ConfigureAwait(false))!;
            // Of none it says nothing at all.
            for (var n = 0; n < answer.Length; n++)
                statuses[places[n]] = answer[n].IsNull ? null : ResultFormat.Status((string?)answer[n]);
        }).ConfigureAwait(false);
        return statuses;
    }

    /// <summary>The results of jobs, as their ids come: with the ids of a batch's ended jobs, its results as they end.</summary>
    /// <param name="jobIds">The ids; one without a result is left out.</param>
    /// <param name="cancellationToken">Ends it with an exception.</param>
    public async IAsyncEnumerable<JobResult> GetAsync(IAsyncEnumerable<string> jobIds, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        await foreach (var id in jobIds.WithCancellation(cancellationToken).ConfigureAwait(false))
        {
            if (await GetAsync(id).ConfigureAwait(false) is { } result)
                yield return result;
        }
    }

    /// <summary>
    /// Waits for the result of a job. Woken by a message; looks by itself after a second and then ever more seldom, up to each 5 s.
    /// A Redis that goes away in between is waited for.
    /// </summary>
    /// <param name="jobId">The job.</param>
    /// <param name="cancellationToken">Ends the wait with an exception.</param>
    public Task<JobResult> WaitAsync(string jobId, CancellationToken cancellationToken = default) => WaitAsync(jobId, null, cancellationToken);

    /// <summary>The same for a caller with little memory, which is given the size of a result before it is fetched.</summary>
    /// <param name="jobId">The job.</param>
    /// <param name="arrived">Told the bytes of the body; it is fetched when this ends. Null: fetched at once.</param>
    /// <param name="cancellationToken">Ends the wait with an exception.</param>
    public async Task<JobResult> WaitAsync(string jobId, Func<long, Task>? arrived, CancellationToken cancellationToken)
    {
        var signal = new VersionedSignal();
        var channel = _redis.Channel((string)Key(jobId)!);
        var subscription = await RedisRetry.UntilAnsweredAsync(() => _redis.SubscribeAsync(channel, cancellationToken), _time, null, cancellationToken).ConfigureAwait(false);
        subscription.OnMessage(_ => signal.Set());
        try
        {
            for (var patience = TimeSpan.FromSeconds(1); ; patience = patience < TimeSpan.FromSeconds(4) ? patience * 1.5 : TimeSpan.FromSeconds(5))
            {
                var seen = signal.Version;
                if (await RedisRetry.UntilAnsweredAsync(LookAsync, _time, null, cancellationToken).ConfigureAwait(false) is { } result)
                    return result;
                await signal.WaitAsync(seen, patience, _time, cancellationToken).ConfigureAwait(false);
            }
        }
        finally
        {
            await subscription.UnsubscribeAsync(CommandFlags.FireAndForget).ConfigureAwait(false);
        }

        async Task<JobResult?> LookAsync()
        {
            var marking = _mark.SetAsync();
            if (arrived is null)
            {
                var looking = GetAsync(jobId);
                await Task.WhenAll(marking, looking).ConfigureAwait(false);
                return await looking.ConfigureAwait(false);
            }

            var measuring = FindSizeAsync(jobId);
            await Task.WhenAll(marking, measuring).ConfigureAwait(false);
            if (await measuring.ConfigureAwait(false) is not { } bytes)
                return null;
            await arrived(bytes).ConfigureAwait(false);
            arrived = null;
            return (await GetAsync([jobId], bytes > SmallBytes).ConfigureAwait(false))[0];
        }
    }

    /// <summary>The bytes of a result's body, without fetching it; null when there is no result.</summary>
    public async Task<long?> FindSizeAsync(string jobId)
    {
        var (status, size) = (_redis.Commands.HashExistsAsync(Key(jobId), "status"), SizeAsync(jobId));
        await Task.WhenAll(status, size).ConfigureAwait(false);
        return await status.ConfigureAwait(false) ? await size.ConfigureAwait(false) : null;
    }

    /// <summary>The largest body that Redis takes, in bytes.</summary>
    public Task<long> MaxBytesAsync() => _redis.MaxValueBytesAsync();

    private async Task<IReadOnlyList<JobResult?>> GetAsync(IReadOnlyCollection<string> jobIds, bool areLarge)
    {
        ArgumentNullException.ThrowIfNull(jobIds);
        var connection = areLarge ? await _redis.LargeAsync().ConfigureAwait(false) : _redis.Commands;
        return await Task.WhenAll(jobIds.Select(async id => ResultFormat.Decode(id, await connection.HashGetAsync(Key(id), ResultFormat.Fields).ConfigureAwait(false)))).ConfigureAwait(false);
    }

    private Task<long> SizeAsync(string jobId) => _redis.Commands.HashStringLengthAsync(Key(jobId), "body");

    /// <summary>Follows the answer of a job that asks for a stream, as it comes; of any other, and for a reader that comes late, the result alone.</summary>
    /// <param name="jobId">The job.</param>
    /// <param name="cancellationToken">Ends it with an exception.</param>
    public IAsyncEnumerable<StreamedPart> StreamAsync(string jobId, CancellationToken cancellationToken = default) => StreamAsync(jobId, () => Task.CompletedTask, null, cancellationToken);

    /// <summary>The same for a job that is still to be enqueued, so that its very first delta is seen, and for a reader whose memory is bounded.</summary>
    /// <param name="jobId">The job.</param>
    /// <param name="enqueue">Run as soon as the follower listens. What it throws comes out of the stream.</param>
    /// <param name="memory">How it is counted; null for not at all.</param>
    /// <param name="cancellationToken">Ends it with an exception.</param>
    public IAsyncEnumerable<StreamedPart> StreamAsync(string jobId, Func<Task> enqueue, StreamMemory? memory, CancellationToken cancellationToken) =>
        new StreamFollower(_redis, this, PauseChannels, _time).FollowAsync(StreamChannel(jobId), jobId, enqueue, memory, cancellationToken);

    /// <summary>For the worker that makes the call: publishes its deltas to the readers of the job.</summary>
    /// <param name="jobId">The job.</param>
    /// <param name="maxPause">How long the call may wait for its readers in all. After that, a reader that is behind gets the result alone.</param>
    public StreamPublisher OpenStream(string jobId, TimeSpan maxPause) => new(_redis, StreamChannel(jobId), _pauses, maxPause);

    /// <summary>Removes error results, so that whoever waits for the jobs' next run waits. Completions stay.</summary>
    /// <returns>How many were removed.</returns>
    public async Task<int> ForgetErrorsAsync(IReadOnlyCollection<string> jobIds)
    {
        ArgumentNullException.ThrowIfNull(jobIds);
        var removed = await Task.WhenAll(jobIds.Select(id => ForgetError.RunAsync(_redis.Commands, [Key(id)], []))).ConfigureAwait(false);
        return removed.Sum(r => (int)r);
    }

    /// <summary>Makes of a completion that turned out to be none an error, with the same body. Safe to repeat.</summary>
    /// <param name="completion">The completion as it was read; one that has changed since stays.</param>
    /// <param name="error">Why it is none.</param>
    /// <returns>False when it has changed, or is no completion any more.</returns>
    public async Task<bool> RevokeAsync(JobResult completion, ResultError error)
    {
        ArgumentNullException.ThrowIfNull(completion);
        return (int)await Revoke.RunAsync(
            _redis.Commands, [Key(completion.JobId)],
            [ResultFormat.Encode(completion.Meta), ResultFormat.Encode(completion.Meta with { Error = error })]).ConfigureAwait(false) == 1;
    }

    /// <summary>Has a result removed earlier than its time is over: for a caller who has it, and whom alone it was for.</summary>
    /// <param name="jobId">The job.</param>
    /// <param name="life">How long it is still kept. A worker that died before it had settled the job must find it: not less than a few leases.</param>
    public Task ShortenAsync(string jobId, TimeSpan life) => _redis.Commands.KeyExpireAsync(Key(jobId), life);

    /// <summary>Removes results, completions too: for a caller that has them safe elsewhere.</summary>
    public Task DeleteAsync(IReadOnlyCollection<string> jobIds)
    {
        ArgumentNullException.ThrowIfNull(jobIds);
        return ByPlaceAsync([.. jobIds], id => id, MostDeletes, (keys, _) => _redis.Commands.KeyDeleteAsync(keys));
    }

    /// <summary>Calls for what lies together, in steps, all at once: on one server everything, on a cluster what is in one slot.</summary>
    private Task ByPlaceAsync<T>(IReadOnlyList<T> all, Func<T, string> id, int most, Func<RedisKey[], int[], Task> call)
    {
        var places = Enumerable.Range(0, all.Count);
        return _redis.IsCluster
            ? Task.WhenAll(places.GroupBy(n => _redis.SlotOf(Key(id(all[n])))).SelectMany(slot => slot.Chunk(most)).Select(CallAsync))
            : Task.WhenAll(places.Chunk(most).Select(CallAsync));

        Task CallAsync(int[] some)
        {
            var keys = new RedisKey[some.Length];
            for (var n = 0; n < some.Length; n++)
                keys[n] = Key(id(all[some[n]]));
            return call(keys, some);
        }
    }

    private string PauseChannels => KeyStart + "streams:";
    private RedisChannel StreamChannel(string jobId) => _redis.Channel($"{KeyStart}{jobId}:stream");

    private RedisKey Key(string jobId) => KeyStart + jobId;
}
