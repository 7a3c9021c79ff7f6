using System.Globalization;
using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>One partition of a queue, as its workers use it. Every verb is one script, and safe to repeat after a lost answer.</summary>
public sealed partial class QueuePartition
{
    private const int JobsPerCall = 500;
    private const int JobsPerSweep = 200;

    // Of the verbs that make some ten commands of Redis for each job.
    private const int JobsPerLongCall = 200;
    private const int IdsPerExamination = 100_000;
    private const int BytesPerClaim = 4 * 1024 * 1024;
    private readonly RedisConnections _redis;
    private readonly PromptQueueOptions _options;
    private readonly QueueKeys _keys;
    private readonly int _partitions;
    private readonly TimeProvider _time;

    internal QueuePartition(RedisConnections redis, PromptQueueOptions options, string queue, int index, int partitions, TimeProvider time)
    {
        _time = time;
        _redis = redis;
        _options = options;
        _keys = new QueueKeys(options.KeyPrefix, queue, index);
        _partitions = partitions;
        Queue = queue;
        Index = index;
    }

    /// <summary>The queue.</summary>
    public string Queue { get; }

    /// <summary>Which of the queue's partitions, from 0.</summary>
    public int Index { get; }

    /// <summary>The channel that says "look".</summary>
    internal string Wake => _keys.Wake;

    /// <summary>The keys, for tests that look at them.</summary>
    internal QueueKeys Keys => _keys;

    private long LeaseMilliseconds => (long)_options.Lease.TotalMilliseconds;

    /// <summary>Whether a job of this queue lies here.</summary>
    internal bool Holds(string jobId) => Names.PartitionOf(jobId, _partitions) == Index;

    /// <summary>Extends leases, and says that <paramref name="worker"/> lives; the latter also without jobs.</summary>
    /// <param name="worker">This process.</param>
    /// <param name="jobs">The claims to extend.</param>
    /// <returns>For each job whether it is still held, and whether it was asked to stop.</returns>
    public Task<IReadOnlyList<LeaseState>> RenewAsync(string worker, IReadOnlyList<ClaimedJob> jobs)
    {
        ArgumentNullException.ThrowIfNull(jobs);
        return InStepsAsync<ClaimedJob, LeaseState>(jobs, async step =>
        {
            var answer = await RunAsync(
                QueueScripts.Renew, _redis.Leases, [_keys.Meta, _keys.Inflight, _keys.Leases, _keys.Workers, _keys.Cancel, _keys.Stopped],
                [LeaseMilliseconds, worker, .. step.SelectMany(j => new RedisValue[] { j.Job.Id, j.Token })]).ConfigureAwait(false);
            var stopped = answer.Skip(1 + step.Count).Select(a => (string)a!).ToHashSet();
            return [.. step.Select((job, n) => (int)answer[n + 1] switch
            {
                0 => LeaseState.Lost,
                1 when job.Job.Batch is null || !stopped.Contains(job.Job.Batch) => LeaseState.Held,
                _ => LeaseState.CancelAsked,
            })];
        });
    }

    /// <summary>Returns expired leases, and those of processes that are gone, to the lists, in bounded steps.</summary>
    /// <returns>How many jobs wait again.</returns>
    public async Task<int> ReclaimAsync(CancellationToken cancellationToken) =>
        (await ReclaimAsync(null, TimeSpan.Zero, cancellationToken).ConfigureAwait(false)).Returned;

    /// <summary>The same for who calls it regularly: where this Redis may have been away, and not the workers, nothing is returned.</summary>
    /// <param name="answered">What the last call's <see cref="ReclaimAnswer.Time"/> was; the distant past only to learn the time; null not to ask.</param>
    /// <param name="gap">The longest time between two answers with which Redis was not away.</param>
    /// <param name="cancellationToken">Ends it between two steps.</param>
    public async Task<ReclaimAnswer> ReclaimAsync(DateTimeOffset? answered, TimeSpan gap, CancellationToken cancellationToken)
    {
        const int Step = 100;
        var (returned, rank, time) = (0, 0L, answered?.ToUnixTimeMilliseconds() ?? -1);
        var back = TimeSpan.Zero;
        while (rank >= 0)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var answer = await RunAsync(
                QueueScripts.Reclaim, _redis.Once.Commands, [_keys.Meta, _keys.Jobs, .. _keys.Waiting, _keys.Inflight, _keys.Leases, _keys.Workers],
                [_keys.Wake, _redis.PublishVerb, Step, (long)_options.WorkerTimeout.TotalMilliseconds, rank, answered is null ? -1 : Math.Max(0, time), (long)gap.TotalMilliseconds])
                .ConfigureAwait(false);
            back += TimeSpan.FromMilliseconds((long)answer[^1]);
            if ((string?)answer[0] == "AWAY")
                return new ReclaimAnswer(returned, true, DateTimeOffset.FromUnixTimeMilliseconds((long)answer[1]), back);
            var step = (int)answer[1];
            returned += step;
            (rank, time) = ((long)answer[2], (long)answer[3]);
            if (rank < 0 && step >= Step)
                rank = 0;
        }

        return new ReclaimAnswer(returned, false, DateTimeOffset.FromUnixTimeMilliseconds(time), back);
    }

    /// <summary>Runs dead jobs again, with fresh attempts; their error results are for the caller to remove first.</summary>
    /// <param name="batch">The batch of the jobs; null for single ones.</param>
    /// <param name="jobs">Ids and rows.</param>
    /// <returns>For each job whether it waits again; false: it is not among the dead.</returns>
    internal async Task<IReadOnlyList<bool>> RedriveAsync(string? batch, IReadOnlyList<(string Id, int Row)> jobs)
    {
        const int NotLookedAt = 2;
        RedisKey[] batchKeys = batch is null ? [] : [_keys.Batch(batch), _keys.Ended(batch)];
        var waits = new bool[jobs.Count];
        // A call stops where it has read enough bytes; it looks at one job at least.
        for (var first = 0; first < jobs.Count;)
        {
            var answer = await RunAsync(
                QueueScripts.Redrive, _redis.Commands, [_keys.Meta, _keys.Jobs, .. _keys.Waiting, _keys.Leases, _keys.Dead, _keys.Stopped, .. batchKeys],
                [_keys.Wake, _redis.PublishVerb, .. jobs.Skip(first).SelectMany(j => new RedisValue[] { j.Id, batch is null ? 0 : j.Row })]).ConfigureAwait(false);
            for (var n = 1; n < answer.Length && (int)answer[n] is var state and not NotLookedAt; n++)
                waits[first++] = state == 1;
        }

        return waits;
    }

    /// <summary>Takes rows off the queue that no worker runs now.</summary>
    /// <returns>For each what was found, as <c>withdraw.lua</c> has it.</returns>
    internal async Task<IReadOnlyList<int>> WithdrawRowsAsync(string batch, IReadOnlyList<string> ids)
    {
        var answer = await RunAsync(
            QueueScripts.Withdraw, _redis.Commands,
            [_keys.Meta, _keys.Jobs, _keys.Delayed, _keys.Inflight, _keys.Leases, _keys.Dead, _keys.Cancel, _keys.Deadlines, _keys.Batch(batch)],
            [.. ids.Select(id => (RedisValue)id)]).ConfigureAwait(false);
        return [.. answer.Skip(1).Select(code => (int)code)];
    }

    /// <summary>Pauses or resumes.</summary>
    internal Task PauseAsync(bool paused) =>
        RunAsync(QueueScripts.Pause, _redis.Commands, [_keys.Meta], [_keys.Wake, _redis.PublishVerb, paused ? 1 : 0]);

    /// <summary>Drops dead letters of at least that age: <paramref name="ids"/>, or when there are none, up to <paramref name="most"/> of all.</summary>
    internal async Task<long> PurgeAsync(long ageMilliseconds, int most, IReadOnlyList<string> ids)
    {
        var answer = await RunAsync(
            QueueScripts.Purge, _redis.Commands, [_keys.Meta, _keys.Jobs, _keys.Leases, _keys.Dead, _keys.Cancel],
            [ageMilliseconds, most, .. ids.Select(id => (RedisValue)id)]).ConfigureAwait(false);
        return (long)answer[1];
    }

    /// <summary>Marks this partition as retired if it has no jobs.</summary>
    /// <param name="idle">How long no job must have been claimed or run here.</param>
    /// <returns>The time by the clock of Redis; null: it has jobs, is in use or is paused.</returns>
    internal async Task<DateTimeOffset?> RetireAsync(TimeSpan idle)
    {
        var answer = await RunAsync(
            QueueScripts.Retire, _redis.Commands, [_keys.Meta, _keys.Jobs, .. _keys.Waiting, _keys.Delayed, _keys.Inflight, _keys.Workers, _keys.Dead],
            [(long)idle.TotalMilliseconds]).ConfigureAwait(false);
        return (int)answer[1] == 1 ? DateTimeOffset.FromUnixTimeMilliseconds((long)answer[2]) : null;
    }

    /// <summary>Removes all keys of this partition if it is retired and has nothing left.</summary>
    internal async Task<bool> RemoveAsync() => (int)(await RunAsync(
        QueueScripts.Remove, _redis.Commands, [_keys.Meta, _keys.Jobs, _keys.Dead, .. _keys.All.Except([_keys.Meta, _keys.Jobs, _keys.Dead])], [])
        .ConfigureAwait(false))[1] == 1;

    /// <summary>How far a batch is here.</summary>
    internal async Task<BatchProgress> ProgressAsync(string batch)
    {
        var counts = await _redis.Commands.HashGetAsync(_keys.Batch(batch), ["expected", "completed", "failed", "cancelled", "spent"]).ConfigureAwait(false);
        return new BatchProgress(Count(0), Count(1), Count(2), Count(3)) { SpentNanos = (long?)counts[4] };
        long Count(int field) => counts[field].IsNull ? 0 : (long)counts[field];
    }

    /// <summary>Deployment → what calls for jobs of this partition have cost, in nanos.</summary>
    internal async Task<IEnumerable<JobCost>> SpentAsync() =>
        (await _redis.Commands.HashGetAllAsync(_keys.Spent).ConfigureAwait(false)).Select(entry => new JobCost((string)entry.Name!, (long)entry.Value));

    /// <summary>Where a job is, as it was before it was put right when <paramref name="mend"/> is set.</summary>
    internal async Task<DoctorFacts> ExamineAsync(string id, bool mend) => DoctorFacts.Read(await RunAsync(
        QueueScripts.Examine, _redis.Commands,
        [_keys.Meta, _keys.Jobs, .. _keys.Waiting, _keys.Delayed, _keys.Inflight, _keys.Leases, _keys.Dead, _keys.Cancel],
        [_keys.Wake, _redis.PublishVerb, mend ? 1 : 0, id, IdsPerExamination]).ConfigureAwait(false));

    /// <summary>Sets the counts of a batch, unless they are no longer as they were read.</summary>
    internal async Task<bool> RecountAsync(string batch, BatchProgress read, BatchProgress right) => (int)await QueueScripts.Recount.RunAsync(
        _redis.Commands, [_keys.Batch(batch)],
        [read.Expected, read.Completed, read.Failed, read.Cancelled, right.Expected, right.Completed, right.Failed, right.Cancelled]).ConfigureAwait(false) == 1;

    /// <summary>Reads on in the finished list of a batch.</summary>
    internal async Task<(long Next, BatchProgress Progress, IReadOnlyList<string> Ids)> FollowAsync(string batch, long from, string last, int most)
    {
        var answer = (RedisResult[])(await QueueScripts.Follow.RunAsync(_redis.Commands, [_keys.Batch(batch), _keys.Finished(batch)], [from, most, last]).ConfigureAwait(false))!;
        return ((long)answer[0], Progress(), [.. answer.Skip(6).Select(id => (string)id!)]);

        BatchProgress Progress() => new((long)answer[1], (long)answer[2], (long)answer[3], (long)answer[4])
        {
            SpentNanos = (string?)answer[5] is { Length: > 0 } spent ? long.Parse(spent, CultureInfo.InvariantCulture) : null,
        };
    }

    /// <summary>Drops the finished list up to a position, and dead letters.</summary>
    internal async Task ForgetAsync(string batch, long upTo, IEnumerable<string> dead)
    {
        var steps = dead.Chunk(JobsPerCall).ToList();
        for (var (step, gone) = (0, -1L); gone < upTo || step < steps.Count; step++)
        {
            gone = (long)await QueueScripts.Forget.RunAsync(
                _redis.Commands, [_keys.Jobs, _keys.Leases, _keys.Dead, _keys.Batch(batch), _keys.Finished(batch)],
                [upTo, .. (step < steps.Count ? steps[step] : []).Select(id => (RedisValue)id)]).ConfigureAwait(false);
        }
    }

    /// <summary>Waiting high, normal, low, delayed, in flight, dead; 1 when paused.</summary>
    internal async Task<long[]> CountAsync()
    {
        var answer = await RunAsync(
            QueueScripts.Stats, _redis.Commands, [_keys.Meta, .. _keys.Waiting, _keys.Delayed, _keys.Inflight, _keys.Dead], []).ConfigureAwait(false);
        return [.. answer.Skip(1).Select(a => (long)a)];
    }

    // A script runs alone on its server, so one call takes a bounded number of jobs. An empty call is made too: a renewal says that the worker lives.
    private static async Task<IReadOnlyList<TAnswer>> InStepsAsync<TJob, TAnswer>(IReadOnlyList<TJob> jobs, Func<IReadOnlyList<TJob>, Task<IReadOnlyList<TAnswer>>> call, int most = JobsPerCall)
    {
        if (jobs.Count <= most)
            return await call(jobs).ConfigureAwait(false);
        var answers = new List<TAnswer>(jobs.Count);
        foreach (var step in jobs.Chunk(most))
            answers.AddRange(await call(step).ConfigureAwait(false));
        return answers;
    }

    // The bar separates the parts of a lease; an empty token is what a job has that nobody holds.
    private static void CheckName(string text, string parameter)
    {
        if (string.IsNullOrEmpty(text) || text.Contains('|', StringComparison.Ordinal))
            throw new ArgumentException("must not be empty or hold |", parameter);
    }

    private Task<RedisResult[]> RunAsync(RedisScript script, RedisCalls database, RedisKey[] keys, RedisValue[] arguments) =>
        QueueScripts.RunAsync(script, database, Queue, _partitions, keys, [_partitions, SchemaVersion.Of(Queue).Text, .. arguments]);
}
