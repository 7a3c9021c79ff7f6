using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text;
using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>Checks jobs and puts them on their queues.</summary>
internal sealed class Enqueuer(RedisConnections redis, PromptQueueOptions options, TimeProvider time)
{
    public const int JobsPerCall = 250;
    public const int JobsInFirstCall = 32;
    public const int CallsAtOnce = 4;
    private const int PartitionsOnCluster = 16;
    private const int BytesPerCall = 4 * 1024 * 1024;

    // A third of the least that proto-max-bulk-len can be.
    private const int SmallBytes = 300 * 1024;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);
    private const int MostRegistrations = 20;
    private readonly ConcurrentDictionary<string, (long Version, int Partitions)> _created = new();
    private readonly QueueRegistry _registry = new(redis, options);

    /// <summary>What <see cref="PromptQueue.EnqueueAsync(IReadOnlyList{Job}, bool, CancellationToken)"/> does; the second call for a queue has twice the first's jobs, and so on.</summary>
    public async Task<IReadOnlyList<EnqueueOutcome>> EnqueueAsync(IReadOnlyList<Job> jobs, int jobsInFirstCall, bool rerunEnded, CancellationToken cancellationToken)
    {
        Check(jobs);
        // What comes with a time was told it by the clock of this process; workers go by that of Redis.
        var now = await RepeatedAsync(() => redis.Clock.NowAsync().AsTask(), cancellationToken).ConfigureAwait(false);
        var ahead = now - time.GetUtcNow();
        // Where it is W3C's, which is the default.
        var trace = Activity.Current is { IdFormat: ActivityIdFormat.W3C } current ? current.Id : null;
        var envelopes = new byte[]?[jobs.Count];
        for (var i = 0; i < envelopes.Length; i++)
        {
            // What might be refused is looked at before anything is enqueued; the others while Redis works on those before them.
            if (!IsFine(jobs[i]))
                Encoded(i);
        }

        // A larger one would end the connection each time. A character of a text has up to three bytes.
        if (jobs.Any(job => JobGroups.Size(job) > SmallBytes)
            && await RepeatedAsync(redis.MaxValueBytesAsync, cancellationToken).ConfigureAwait(false) is var most)
        {
            for (var i = 0; i < jobs.Count; i++)
            {
                if (3L * JobGroups.Size(jobs[i]) > most && Encoded(i).Length > most)
                    throw new JobTooLargeException(
                        jobs[i],
                        $"job {jobs[i].Id} has {Encoded(i).Length} bytes, the most that this Redis takes is {most} (proto-max-bulk-len)");
            }
        }

        var outcomes = new EnqueueOutcome[jobs.Count];
        var partitions = new Dictionary<string, int>();
        foreach (var job in jobs)
        {
            if (!partitions.ContainsKey(job.Queue))
                partitions.Add(job.Queue, await CreateAsync(job.Queue, cancellationToken).ConfigureAwait(false));
        }

        // Redis works on one call while the next is written.
        using var calls = new SemaphoreSlim(CallsAtOnce);
        var sent = new List<Task>();
        foreach (var (partition, group) in Together(jobs, partitions))
        {
            foreach (var part in Slices(group, Encoded, jobsInFirstCall))
            {
                await calls.WaitAsync(CancellationToken.None).ConfigureAwait(false);
                if (cancellationToken.IsCancellationRequested || sent.Exists(call => call.IsFaulted))
                {
                    calls.Release();
                    break;
                }

                sent.Add(SendAsync(partition, part));
            }
        }

        // Nothing is on its way any more when this returns or throws.
        await Task.WhenAll(sent).ConfigureAwait(false);
        cancellationToken.ThrowIfCancellationRequested();
        return outcomes;

        byte[] Encoded(int i) => envelopes[i] ??= Encode(Stamped(jobs[i], now, ahead, trace));

        async Task SendAsync(int partition, List<int> part)
        {
            try
            {
                var (queue, batch) = (jobs[part[0]].Queue, jobs[part[0]].Batch);
                var answer = await AddAsync(
                    queue, partitions[queue], partition, batch, rerunEnded, [.. part.Select(i => (jobs[i], Envelope.Shifted(jobs[i].Deadline, ahead), envelopes[i]!))], cancellationToken)
                    .ConfigureAwait(false);
                var codes = (string)answer[1]!;
                for (var n = 0; n < part.Count; n++)
                    outcomes[part[n]] = codes[n] switch { '1' => EnqueueOutcome.Added, '0' => EnqueueOutcome.AlreadyThere, '2' => EnqueueOutcome.Ended, _ => EnqueueOutcome.Full };
            }
            finally
            {
                // Of large jobs this is a second copy.
                foreach (var i in part)
                    envelopes[i] = null;
                calls.Release();
            }
        }
    }

    private static Job Stamped(Job job, DateTimeOffset now, TimeSpan ahead, string? trace) => job with
    {
        TraceParent = job.TraceParent ?? trace,
        Enqueued = job.Enqueued == default ? now : job.Enqueued + ahead,
        Deadline = Envelope.Shifted(job.Deadline, ahead),
    };

    private static void Check(IReadOnlyList<Job> jobs)
    {
        // Neighbours mostly share their queue and their batch.
        string? queue = null, batch = null;
        foreach (var job in jobs)
        {
            Check(job, !ReferenceEquals(job.Queue, queue), !ReferenceEquals(job.Batch, batch));
            (queue, batch) = (job.Queue, job.Batch);
        }
    }

    private static void Check(Job job, bool isNewQueue, bool isNewBatch)
    {
        if (Names.Fault(job.Id) is { } fault)
            throw new ArgumentException($"job id '{job.Id}' {fault}");
        if (isNewQueue && Names.Fault(job.Queue) is { } queueFault)
            throw new ArgumentException($"queue '{job.Queue}' of job {job.Id} {queueFault}");
        if (isNewBatch && job.Batch is not null && Names.Fault(job.Batch) is { } batchFault)
            throw new ArgumentException($"batch '{job.Batch}' of job {job.Id} {batchFault}");
        if (job.Queue != (PrivateQueue.Is(job.Queue) && job.Batch is not null ? PrivateQueue.Name(job.Batch, job.Model) : job.Model))
            throw new ArgumentException($"queue '{job.Queue}' of job {job.Id} is neither that of its model nor a private one of its batch");
        if (job.Batch is not null && job.Row is < 1 or > Names.MaxRow)
            throw new ArgumentException($"job {job.Id} of batch {job.Batch} has row {job.Row}; rows are 1 to {Names.MaxRow}");
        if (!Enum.IsDefined(job.Lane))
            throw new ArgumentException($"job {job.Id} has the unknown lane {job.Lane}");
    }

    // Certainly no larger than allowed, and of text that can be written.
    private bool IsFine(Job job) =>
        job is { Work: RequestWork request, Metadata: null }
        && Ascii.IsValid(request.Path) && Ascii.IsValid(job.CustomId) && Ascii.IsValid(job.TraceParent)
        && request.Body.Length + (6 * (request.Path.Length + (job.CustomId?.Length ?? 0) + (job.TraceParent?.Length ?? 0) + (job.Batch?.Length ?? 0))) + 500 <= options.MaxJobBytes;

    private byte[] Encode(Job job)
    {
        var envelope = Envelope.Encode(job);
        return envelope.Length <= options.MaxJobBytes
            ? envelope
            : throw new JobTooLargeException(
                job, $"job {job.Id} has {envelope.Length} bytes, the most is {options.MaxJobBytes} (MaxJobBytes)");
    }

    // Before the first job, and again when Redis was away: workers find a queue by its name, and its partitions by the meta data of the first.
    private async Task<int> CreateAsync(string queue, CancellationToken cancellationToken)
    {
        var version = redis.Restored.Version;
        if (_created.TryGetValue(queue, out var created) && created.Version == version)
            return created.Partitions;
        var partitions = PrivateQueue.Is(queue) ? 1 : options.Partitions ?? await RepeatedAsync(() => FindPartitionsAsync(redis, options, queue), cancellationToken).ConfigureAwait(false);
        if (!PrivateQueue.Is(queue))
            await RepeatedAsync(() => RedisRetry.DoneAsync(_registry.AdmitAsync(queue)), cancellationToken).ConfigureAwait(false);
        await RegisterAsync(queue, partitions, Enumerable.Range(0, partitions), cancellationToken).ConfigureAwait(false);
        _created[queue] = (version, partitions);
        return partitions;
    }

    /// <summary>Removes the mark of a retired queue, and only then has workers serve it; a job is added after both.</summary>
    private async Task RegisterAsync(string queue, int partitions, IEnumerable<int> marked, CancellationToken cancellationToken)
    {
        await Task.WhenAll(marked.Select(partition => RunAsync(queue, partitions, partition, null, false, [], cancellationToken))).ConfigureAwait(false);
        if (PrivateQueue.Is(queue))
            await RepeatedAsync(() => redis.Commands.SortedSetAddAsync(QueueKeys.PrivateQueues(options.KeyPrefix), queue, time.GetUtcNow().ToUnixTimeMilliseconds()), cancellationToken).ConfigureAwait(false);
        else
            await RepeatedAsync(() => RedisRetry.DoneAsync(_registry.RegisterAsync(queue)), cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Adds jobs, to a queue that was retired too. Workers retire a queue at most every few seconds, so that the next call mostly succeeds.</summary>
    private async Task<RedisResult[]> AddAsync(
        string queue, int partitions, int partition, string? batch, bool rerunEnded, IReadOnlyList<(Job Job, DateTimeOffset? Due, byte[] Envelope)> jobs, CancellationToken cancellationToken)
    {
        for (var registrations = 0; ; registrations++)
        {
            var answer = await RunAsync(queue, partitions, partition, batch, rerunEnded, jobs, cancellationToken).ConfigureAwait(false);
            if ((string?)answer[0] != "RETIRED")
                return answer;
            if (registrations == MostRegistrations)
                throw new InvalidOperationException($"queue {queue} was retired {registrations} times while jobs were enqueued");
            await RegisterAsync(queue, partitions, partition == 0 ? [0] : [0, partition], cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>As many partitions as the queue has, or as a new one gets.</summary>
    /// <exception cref="QueueMismatchException">It has another schema version.</exception>
    public static async Task<int> FindPartitionsAsync(RedisConnections redis, PromptQueueOptions options, string queue)
    {
        var meta = await redis.Commands.HashGetAsync(new QueueKeys(options.KeyPrefix, queue, 0).Meta, ["partitions", "version"]).ConfigureAwait(false);
        var (found, version) = (meta[0], (string?)meta[1]);
        if (version is not null && version != SchemaVersion.Of(queue).Text)
            throw new QueueMismatchException(queue, options.Partitions ?? 0, (string?)found, version);
        if (PrivateQueue.Is(queue))
            return 1;
        return found.IsNull ? options.Partitions ?? (redis.IsCluster ? PartitionsOnCluster : 1) : (int)found;
    }

    private Task<RedisResult[]> RunAsync(
        string queue, int partitions, int partition, string? batch, bool rerunEnded, IReadOnlyList<(Job Job, DateTimeOffset? Due, byte[] Envelope)> jobs, CancellationToken cancellationToken)
    {
        var keys = new QueueKeys(options.KeyPrefix, queue, partition);
        RedisKey[] batchKeys = batch is null ? [] : [keys.Batch(batch), keys.Ended(batch)];
        var (lowest, highest, isPlain) = batch is null ? (0, 0, true) : (int.MaxValue, 0, true);
        foreach (var (job, due, _) in jobs)
        {
            if (batch is not null)
                (lowest, highest) = (Math.Min(lowest, job.Row), Math.Max(highest, job.Row));
            isPlain &= due is null && job.Delay <= TimeSpan.Zero;
        }

        var stride = isPlain ? 2 : 4;
        var arguments = new RedisValue[11 + (jobs.Count * stride)];
        RedisValue[] head =
        [
            partitions, SchemaVersion.Of(queue).Text, keys.Wake, redis.PublishVerb, (long)options.BatchTtl.TotalSeconds, rerunEnded ? "1" : "0",
            lowest, highest, options.MaxWaiting is { } most ? (most + partitions - 1) / partitions : -1, stride,
            batch is null ? "" : string.Join(' ', jobs.Select(j => j.Job.Row)),
        ];
        head.CopyTo(arguments, 0);
        var at = head.Length;
        foreach (var (job, due, envelope) in jobs)
        {
            (arguments[at], arguments[at + 1]) = (job.Id, envelope);
            if (!isPlain)
                (arguments[at + 2], arguments[at + 3]) = ((long)Math.Ceiling(job.Delay.TotalMilliseconds), due?.ToUnixTimeMilliseconds() ?? 0);
            at += stride;
        }

        return RepeatedAsync(
            async () => QueueScripts.Checked(
                await redis.RunAsync(
                    QueueScripts.Enqueue, [keys.Meta, keys.Jobs, .. keys.Waiting, keys.Delayed, keys.Dead, keys.Stopped, keys.Deadlines, keys.Standing, keys.Inflight, keys.Leases, keys.Workers, keys.Cancel, .. batchKeys], arguments,
                    new ReplicaWait(options.Replicas, options.ReplicaTimeout)).ConfigureAwait(false),
                queue, partitions), cancellationToken);
    }

    private Task<T> RepeatedAsync<T>(Func<Task<T>> call, CancellationToken cancellationToken) =>
        RedisRetry.SeveralTimesAsync(call, 3, Patience, time, cancellationToken);

    /// <summary>The places of the jobs that may go in one call: those of one partition and one batch.</summary>
    private static IEnumerable<(int Partition, IEnumerable<int> Places)> Together(IReadOnlyList<Job> jobs, Dictionary<string, int> partitions)
    {
        var places = Enumerable.Range(0, jobs.Count);
        return partitions.Count == 1 && partitions.First().Value == 1 && places.All(i => jobs[i].Batch == jobs[0].Batch)
            ? [(0, places)]
            : places.GroupBy(i => (jobs[i].Queue, Partition: Names.PartitionOf(jobs[i].Id, partitions[jobs[i].Queue]), jobs[i].Batch)).Select(group => (group.Key.Partition, (IEnumerable<int>)group));
    }

    private static IEnumerable<List<int>> Slices(IEnumerable<int> indexes, Func<int, byte[]> envelope, int jobsInFirst)
    {
        var slice = new List<int>();
        var (bytes, most) = (0, jobsInFirst);
        foreach (var i in indexes)
        {
            var size = envelope(i).Length;
            if (slice.Count == most || (slice.Count > 0 && bytes + size > BytesPerCall))
            {
                yield return slice;
                slice = [];
                (bytes, most) = (0, Math.Min(2 * most, JobsPerCall));
            }

            slice.Add(i);
            bytes += size;
        }

        yield return slice;
    }
}
