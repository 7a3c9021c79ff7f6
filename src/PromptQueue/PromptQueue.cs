using System.Runtime.CompilerServices;
using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>
/// The durable queue: takes jobs, and tells where they are. Workers hold its <see cref="QueuePartition"/>s; whoever submitted jobs
/// together follows them through <see cref="Batches"/>.
/// </summary>
public sealed class PromptQueue
{
    private readonly RedisConnections _redis;
    private readonly PromptQueueOptions _options;
    private readonly Enqueuer _enqueuer;
    private readonly TimeProvider _time;

    /// <summary>A queue on the Redis of <paramref name="redis"/>.</summary>
    public PromptQueue(RedisConnections redis, PromptQueueOptions options, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(redis);
        ArgumentNullException.ThrowIfNull(options);
        _redis = redis;
        _options = options;
        _time = time;
        _enqueuer = new Enqueuer(redis, options, time);
        Batches = new Batches(redis, options, this, time);
        Private = new PrivateQueues(redis, options, time);
        Registry = new QueueRegistry(redis, options);
        Models = new FleetModels(redis, options, time);
        Workers = new FleetWorkers(redis, this);
    }

    /// <summary>The models that live workers serve.</summary>
    public FleetModels Models { get; }

    /// <summary>The workers that serve the shared queues.</summary>
    public FleetWorkers Workers { get; }

    /// <summary>Which shared queues exist.</summary>
    internal QueueRegistry Registry { get; }

    /// <summary>Jobs that were submitted together.</summary>
    public Batches Batches { get; }

    /// <summary>The private queues of runs.</summary>
    public PrivateQueues Private { get; }

    /// <summary>How this process uses the queue.</summary>
    public PromptQueueOptions Options => _options;

    /// <summary>Whether a call that failed so is repeated by a caller that waits for its Redis.</summary>
    internal bool MayPass(Exception exception) => _redis.MayPass(exception);

    /// <summary>
    /// Enqueues jobs, up to 500 in one call to Redis. Safe to repeat: a job that is there, or has ended, is left alone. A call whose answer is lost
    /// is itself repeated up to 3 times within about 10 s, and a job that such a call had added is answered as already there.
    /// </summary>
    /// <param name="jobs">The jobs; their queues are created when they do not exist.</param>
    /// <param name="rerunEnded">Runs jobs again that have ended and are gone: for a caller that saw their results expire.</param>
    /// <param name="cancellationToken">Ends it between two calls; jobs before that are enqueued.</param>
    /// <returns>What became of each job, in their order.</returns>
    /// <exception cref="ArgumentException">A name is not allowed, or a job is larger than <see cref="PromptQueueOptions.MaxJobBytes"/>; nothing was enqueued.</exception>
    /// <exception cref="QueueMismatchException">The queue has another number of partitions or schema version; none of its jobs was enqueued.</exception>
    /// <exception cref="RedisConnectionException">Redis is away for longer; some jobs may be enqueued.</exception>
    public Task<IReadOnlyList<EnqueueOutcome>> EnqueueAsync(
        IReadOnlyList<Job> jobs, bool rerunEnded = false, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(jobs);
        // Few at first: until then Redis has nothing to do.
        return EnqueueAsync(jobs, Enqueuer.JobsInFirstCall, rerunEnded, cancellationToken);
    }

    /// <summary>
    /// Enqueues a stream of jobs in its order: those that follow are read and packed while Redis works on those before, so that it is the fastest way for
    /// many. It goes by groups of 250, so that jobs that come one by one are better enqueued by themselves. As safe to repeat as the call for a list. What is
    /// not enumerated is not enqueued.
    /// </summary>
    /// <param name="jobs">The jobs, of any number; some 1,000 of them, or 16 MiB, are in memory at a time, and of larger ones 4.</param>
    /// <param name="rerunEnded">As for a list.</param>
    /// <param name="cancellationToken">Ends it between two calls; jobs before that are enqueued.</param>
    /// <returns>Each job with what became of it, in their order.</returns>
    /// <exception cref="ArgumentException">As for a list, of a job in the stream; jobs before it, and of the next few hundred some, are enqueued.</exception>
    /// <exception cref="QueueMismatchException">As for a list.</exception>
    /// <exception cref="RedisConnectionException">Redis is away for longer; some jobs may be enqueued.</exception>
    public async IAsyncEnumerable<EnqueuedJob> EnqueueAsync(
        IAsyncEnumerable<Job> jobs, bool rerunEnded = false, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var groups = Pipelining.InOrderAsync(
            JobGroups.OfAsync(jobs, Enqueuer.JobsPerCall), Enqueuer.CallsAtOnce,
            async group => (group, Outcomes: await EnqueueAsync(group, Enqueuer.JobsPerCall, rerunEnded, cancellationToken).ConfigureAwait(false)), cancellationToken);
        await foreach (var (group, outcomes) in groups.ConfigureAwait(false))
        {
            for (var n = 0; n < group.Count; n++)
                yield return new EnqueuedJob(group[n], outcomes[n]);
        }
    }

    /// <summary>The queues that workers serve; private ones are not among them, nor those of <see cref="RetiredQueuesAsync"/>.</summary>
    public Task<IReadOnlyList<string>> QueuesAsync() => Registry.RegisteredAsync();

    /// <summary>The queues that have no jobs to run, and so are not served; they may have dead letters. The next job brings a queue back.</summary>
    public async Task<IReadOnlyList<string>> RetiredQueuesAsync()
    {
        var registered = await Registry.RegisteredAsync().ConfigureAwait(false);
        return [.. (await Registry.RetiredAsync(0, int.MaxValue).ConfigureAwait(false)).Select(entry => entry.Queue).Except(registered).Order(StringComparer.Ordinal)];
    }

    /// <summary>The partitions of a queue: as many as it was created with, or as <see cref="PromptQueueOptions.Partitions"/> says when it does not exist yet.</summary>
    /// <exception cref="QueueMismatchException">The queue has another schema version.</exception>
    public async Task<IReadOnlyList<QueuePartition>> PartitionsAsync(string queue)
    {
        var count = await Enqueuer.FindPartitionsAsync(_redis, _options, queue).ConfigureAwait(false);
        return [.. Enumerable.Range(0, count).Select(p => new QueuePartition(_redis, _options, queue, p, count, _time))];
    }

    /// <summary>What calls for jobs of a queue have cost, by deployment; of those whose prices and tokens were known.</summary>
    public async Task<IReadOnlyList<JobCost>> SpentAsync(string queue)
    {
        var parts = await Task.WhenAll((await PartitionsAsync(queue).ConfigureAwait(false)).Select(partition => partition.SpentAsync())).ConfigureAwait(false);
        return [.. parts.SelectMany(part => part).GroupBy(cost => cost.Deployment, StringComparer.Ordinal).Select(costs => new JobCost(costs.Key, costs.Sum(cost => cost.Nanos)))];
    }

    /// <summary>Where the jobs of a queue are.</summary>
    public async Task<QueueStats> StatsAsync(string queue)
    {
        var sums = new long[7];
        foreach (var partition in await PartitionsAsync(queue).ConfigureAwait(false))
        {
            var counts = await partition.CountAsync().ConfigureAwait(false);
            for (var i = 0; i < sums.Length; i++)
                sums[i] += counts[i];
        }

        return new QueueStats(sums[0] + sums[1] + sums[2], sums[3], sums[4], sums[5]) { Paused = sums[6] > 0 };
    }

    /// <summary>Whether a worker listens for work on this queue now. A worker serves all queues that it has a deployment for, new ones within a second.</summary>
    public async Task<bool> IsServedAsync(string queue)
    {
        // The message says "look"; what is wanted is how many heard it.
        var partition = (await PartitionsAsync(queue).ConfigureAwait(false))[0];
        return await _redis.Commands.PublishAsync(_redis.Channel(partition.Wake), "1").ConfigureAwait(false) > 0;
    }

    /// <summary>Looks for a job; null when the queue has it no longer (it has ended, its result tells how), or never had.</summary>
    public async Task<JobPlace?> FindAsync(string queue, string id)
    {
        var keys = (await PartitionsAsync(queue).ConfigureAwait(false)).First(p => p.Holds(id)).Keys;
        var envelope = _redis.Commands.HashGetAsync(keys.Jobs, id);
        var (state, buried) = await StateAsync(keys, id).ConfigureAwait(false);
        var bytes = await envelope.ConfigureAwait(false);
        return bytes.IsNull ? null : new JobPlace(queue, id, state, buried, DeadLetters.Decode(queue, id, bytes));
    }

    /// <summary>Where a job is, without reading it: a large one is not fetched. Null as in <see cref="FindAsync"/>.</summary>
    public async Task<JobState?> StateAsync(string queue, string id)
    {
        var keys = (await PartitionsAsync(queue).ConfigureAwait(false)).First(p => p.Holds(id)).Keys;
        var exists = _redis.Commands.HashExistsAsync(keys.Jobs, id);
        var (state, _) = await StateAsync(keys, id).ConfigureAwait(false);
        return await exists.ConfigureAwait(false) ? state : null;
    }

    private async Task<(JobState State, DateTimeOffset? Buried)> StateAsync(QueueKeys keys, string id)
    {
        var dead = _redis.Commands.SortedSetScoreAsync(keys.Dead, id);
        var inflight = _redis.Commands.SortedSetScoreAsync(keys.Inflight, id);
        var delayed = _redis.Commands.SortedSetScoreAsync(keys.Delayed, id);
        await Task.WhenAll(dead, inflight, delayed).ConfigureAwait(false);
        if (await dead.ConfigureAwait(false) is { } buried)
            return (JobState.Dead, DateTimeOffset.FromUnixTimeMilliseconds((long)buried));
        return (
            await inflight.ConfigureAwait(false) is not null
                ? JobState.Running
                : await delayed.ConfigureAwait(false) is not null
                ? JobState.Delayed
                : JobState.Waiting,
            null);
    }

    /// <summary>Stops the claims on a queue; what runs goes on, and enqueueing too. Safe to repeat.</summary>
    /// <returns>False: there is no such queue.</returns>
    public Task<bool> PauseAsync(string queue) => PauseAsync(queue, paused: true);

    /// <summary>Lets a paused queue be claimed from again, and wakes its workers. Safe to repeat.</summary>
    /// <returns>False: there is no such queue.</returns>
    public Task<bool> ResumeAsync(string queue) => PauseAsync(queue, paused: false);

    /// <summary>
    /// Asks jobs to stop. The workers are told at once, and end them as cancelled: those that wait without their turn, those that run by breaking off the call.
    /// Should the message be lost, they find out with the next claims and renewals. A completion that was paid by then is kept. Safe to repeat.
    /// </summary>
    /// <param name="queue">The queue of the jobs.</param>
    /// <param name="ids">The jobs.</param>
    /// <returns>For each whether it was there; false: it has ended, or never was.</returns>
    public async Task<IReadOnlyList<bool>> CancelAsync(string queue, IReadOnlyList<string> ids)
    {
        ArgumentNullException.ThrowIfNull(ids);
        var partitions = await PartitionsAsync(queue).ConfigureAwait(false);
        var answers = new bool[ids.Count];
        foreach (var group in Enumerable.Range(0, ids.Count).GroupBy(n => Names.PartitionOf(ids[n], partitions.Count)))
        {
            var asked = await partitions[group.Key].CancelAsync([.. group.Select(n => ids[n])]).ConfigureAwait(false);
            foreach (var (n, answer) in group.Zip(asked))
                answers[n] = answer;
        }

        return answers;
    }

    /// <summary>A page of the dead letters, those buried first first. For a whole pass, page on until a page is empty.</summary>
    public async Task<IReadOnlyList<DeadJob>> DeadAsync(string queue, int skip, int take) =>
        await new DeadLetters(_redis, await PartitionsAsync(queue).ConfigureAwait(false)).ListAsync(Math.Max(0, skip), take).ConfigureAwait(false);

    /// <summary>
    /// Runs dead jobs again, with fresh attempts; the counts of their batches go back. Their error results are for the caller to remove first, so that
    /// waiting works: whoever runs all again goes through the pages of <see cref="DeadAsync"/>.
    /// </summary>
    /// <param name="queue">The queue of the jobs.</param>
    /// <param name="ids">The jobs; null for all that are dead now.</param>
    /// <returns>How many wait again.</returns>
    public async Task<long> RedriveDeadAsync(string queue, IReadOnlyList<string>? ids)
    {
        var redriven = await new DeadLetters(_redis, await PartitionsAsync(queue).ConfigureAwait(false)).RedriveAsync(ids, Batches.TakeBackCancelAsync).ConfigureAwait(false);
        if (redriven > 0)
            await ServeAgainAsync(queue).ConfigureAwait(false);
        return redriven;
    }

    /// <summary>Registers a queue that may have been retired and has jobs again.</summary>
    internal Task ServeAgainAsync(string queue) => PrivateQueue.Is(queue) ? Task.CompletedTask : Registry.RegisterAsync(queue);

    /// <summary>Drops dead letters for good, in bounded steps; they stay counted as failed, and their results stay until their time is over.</summary>
    /// <param name="queue">The queue of the jobs.</param>
    /// <param name="ids">The jobs; null for all.</param>
    /// <param name="olderThan">Only those that have been dead for so long; null for any.</param>
    /// <returns>How many were dropped.</returns>
    public async Task<long> PurgeDeadAsync(string queue, IReadOnlyList<string>? ids, TimeSpan? olderThan) =>
        await new DeadLetters(_redis, await PartitionsAsync(queue).ConfigureAwait(false)).PurgeAsync(ids, olderThan).ConfigureAwait(false);

    /// <summary>Keeps a prompt function's files for <see cref="PromptQueueOptions.PromptTtl"/>, so that every worker renders the same ones.</summary>
    /// <param name="sha">The hash of the files.</param>
    /// <param name="name">The function's name.</param>
    /// <param name="files">File name → content.</param>
    public Task SavePromptAsync(string sha, string name, IReadOnlyDictionary<string, ReadOnlyMemory<byte>> files)
    {
        ArgumentNullException.ThrowIfNull(files);
        return QueueScripts.SaveBatch.RunAsync(
            _redis.Commands, [QueueKeys.Prompt(_options.KeyPrefix, sha)],
            [(long)_options.PromptTtl.TotalSeconds, "", name, .. files.SelectMany(file => new RedisValue[] { file.Key, file.Value })]);
    }

    private async Task<bool> PauseAsync(string queue, bool paused)
    {
        // A partition without jobs has no meta data yet; the first one always has.
        if (!await _redis.Commands.HashExistsAsync(new QueueKeys(_options.KeyPrefix, queue, 0).Meta, "partitions").ConfigureAwait(false))
            return false;
        foreach (var partition in await PartitionsAsync(queue).ConfigureAwait(false))
            await partition.PauseAsync(paused).ConfigureAwait(false);
        return true;
    }

    /// <summary>The files of a prompt function that was submitted; null when there is none of that hash.</summary>
    /// <param name="sha">The hash of the files.</param>
    public async Task<(string Name, IReadOnlyDictionary<string, ReadOnlyMemory<byte>> Files)?> LoadPromptAsync(string sha)
    {
        var entries = await _redis.Commands.HashGetAllAsync(QueueKeys.Prompt(_options.KeyPrefix, sha)).ConfigureAwait(false);
        if (entries.Length == 0)
            return null;
        // Jobs that wait for long still need them.
        await _redis.Commands.KeyExpireAsync(QueueKeys.Prompt(_options.KeyPrefix, sha), _options.PromptTtl).ConfigureAwait(false);
        var name = entries.FirstOrDefault(e => e.Name.Length() == 0).Value;
        return ((string?)name ?? "", entries.Where(e => e.Name.Length() > 0).ToDictionary(e => (string)e.Name!, e => (ReadOnlyMemory<byte>)(byte[])e.Value!));
    }

    private async Task<IReadOnlyList<EnqueueOutcome>> EnqueueAsync(IReadOnlyList<Job> jobs, int jobsInFirstCall, bool rerunEnded, CancellationToken cancellationToken)
    {
        using var span = QueueTelemetry.Send(jobs);
        var outcomes = await _enqueuer.EnqueueAsync(jobs, jobsInFirstCall, rerunEnded, cancellationToken).ConfigureAwait(false);
        foreach (var batch in rerunEnded ? jobs.Where((_, n) => outcomes[n] == EnqueueOutcome.Added).Select(job => job.Batch).OfType<string>().Distinct() : [])
            await Batches.TakeBackCancelAsync(batch).ConfigureAwait(false);
        return outcomes;
    }
}
