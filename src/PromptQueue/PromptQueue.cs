using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>
/// The durable queue: takes jobs, and tells where they are. Workers hold its <see cref="QueuePartition"/>s; whoever submitted jobs
/// together follows them through <see cref="Batches"/>.
/// </summary>
public sealed class PromptQueue
{
    /// <summary>The layout of the keys; another version is refused.</summary>
    public const string SchemaVersion = "1";

    private readonly RedisConnections _redis;
    private readonly PromptQueueOptions _options;
    private readonly Enqueuer _enqueuer;

    /// <summary>A queue on the Redis of <paramref name="redis"/>.</summary>
    public PromptQueue(RedisConnections redis, PromptQueueOptions options, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(redis);
        ArgumentNullException.ThrowIfNull(options);
        _redis = redis;
        _options = options;
        _enqueuer = new Enqueuer(redis, options, time);
        Batches = new Batches(redis, options, this);
    }

    /// <summary>Jobs that were submitted together.</summary>
    public Batches Batches { get; }

    /// <summary>How this process uses the queue.</summary>
    public PromptQueueOptions Options => _options;

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
        return _enqueuer.EnqueueAsync(jobs, rerunEnded, cancellationToken);
    }

    /// <summary>The queues that exist.</summary>
    public async Task<IReadOnlyList<string>> QueuesAsync() =>
        [.. (await _redis.Commands.SetMembersAsync(QueueKeys.Queues(_options.KeyPrefix)).ConfigureAwait(false)).Select(q => (string)q!).Order(StringComparer.Ordinal)];

    /// <summary>The partitions of a queue: as many as it was created with, or as <see cref="PromptQueueOptions.Partitions"/> says when it does not exist yet.</summary>
    public async Task<IReadOnlyList<QueuePartition>> PartitionsAsync(string queue)
    {
        var count = await Enqueuer.FindPartitionsAsync(_redis, _options, queue).ConfigureAwait(false);
        return [.. Enumerable.Range(0, count).Select(p => new QueuePartition(_redis, _options, queue, p, count))];
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

    /// <summary>Keeps a prompt function's files, so that every worker renders the same ones.</summary>
    /// <param name="sha">The hash of the files.</param>
    /// <param name="name">The function's name.</param>
    /// <param name="files">File name → content.</param>
    public Task SavePromptAsync(string sha, string name, IReadOnlyDictionary<string, ReadOnlyMemory<byte>> files)
    {
        ArgumentNullException.ThrowIfNull(files);
        return _redis.Commands.HashSetAsync(
            QueueKeys.Prompt(_options.KeyPrefix, sha),
            [new HashEntry("", name), .. files.Select(f => new HashEntry(f.Key, f.Value))]);
    }

    /// <summary>The files of a prompt function that was submitted; null when there is none of that hash.</summary>
    /// <param name="sha">The hash of the files.</param>
    public async Task<(string Name, IReadOnlyDictionary<string, ReadOnlyMemory<byte>> Files)?> LoadPromptAsync(string sha)
    {
        var entries = await _redis.Commands.HashGetAllAsync(QueueKeys.Prompt(_options.KeyPrefix, sha)).ConfigureAwait(false);
        if (entries.Length == 0)
            return null;
        var name = entries.FirstOrDefault(e => e.Name.Length() == 0).Value;
        return ((string?)name ?? "", entries.Where(e => e.Name.Length() > 0).ToDictionary(e => (string)e.Name!, e => (ReadOnlyMemory<byte>)(byte[])e.Value!));
    }
}
