using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>
/// Renews every lease that the process holds, in one call per partition each third of a lease, and stops the work on a job whose lease is gone.
/// Between that it says each beat that the process lives.
/// </summary>
internal sealed partial class LeaseKeeper(VersionedSignal restored, PromptQueueOptions queue, WorkerOptions options, TimeProvider time, ILogger<LeaseKeeper> logger) : IAsyncDisposable
{
    private const int JobsPerCall = 500;
    private readonly ConcurrentDictionary<QueuePartition, ConcurrentDictionary<string, HeldJob>> _held = new();
    private readonly CancellationTokenSource _stop = new();
    private Task _loop = Task.CompletedTask;

    /// <summary>Jobs that are held.</summary>
    public int Count => _held.Values.Sum(jobs => jobs.Count);

    public void Start() => _loop = LoopAsync(_stop.Token);

    /// <summary>Holds a job. One of the same id that was given back, and whose end has not been noticed here, is held no more.</summary>
    public void Add(HeldJob job) => _held.GetOrAdd(job.Partition, _ => new())[job.Claim.Job.Id] = job;

    public void Remove(HeldJob job)
    {
        if (_held.TryGetValue(job.Partition, out var jobs))
            jobs.TryRemove(new(job.Claim.Job.Id, job));
    }

    /// <summary>Where the jobs that are held are.</summary>
    public CallCounts Counts => CallCounts.Of(All());

    /// <summary>Every job that is held.</summary>
    public IEnumerable<HeldJob> All() => _held.Values.SelectMany(jobs => jobs.Values);

    /// <summary>Renews one lease now; false when it is gone. Only an error needs this before it is stored.</summary>
    public async Task<bool> RenewAsync(HeldJob job, CancellationToken cancellationToken)
    {
        if (job.Lost)
            return false;
        var held = await RedisRetry.UntilAnsweredAsync(() => job.Partition.RenewAsync(options.Name, [job.Claim]), time, logger, cancellationToken).ConfigureAwait(false);
        if (held[0] != LeaseState.Lost)
            return true;
        Lose(job);
        return false;
    }

    /// <summary>
    /// Renews now what is held of jobs and batches that were asked to stop, so that it stops at once. It is only sooner: the next renewal tells the same.
    /// </summary>
    public Task LookAsync(QueuePartition partition, IReadOnlyCollection<string> asked)
    {
        if (!_held.TryGetValue(partition, out var jobs))
            return Task.CompletedTask;
        var named = jobs.Values.Where(held => asked.Contains(held.Claim.Job.Id) || (held.Claim.Job.Batch is { } batch && asked.Contains(batch))).ToArray();
        return named.Length == 0 ? Task.CompletedTask : TickAsync(partition, named);
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _loop.ConfigureAwait(false);
        _stop.Dispose();
    }

    private async Task LoopAsync(CancellationToken cancellationToken)
    {
        var renewEvery = queue.Lease / 3;
        var beat = new[] { options.BeatInterval, renewEvery, queue.WorkerTimeout / 3 }.Min();
        var renewed = time.GetTimestamp();
        var seen = restored.Version;
        try
        {
            while (true)
            {
                // When Redis is back, at once: others wait with their reclaiming for who lives, but not for long.
                var isBack = await restored.WaitAsync(seen, beat, time, cancellationToken).ConfigureAwait(false);
                seen = restored.Version;
                // Half a beat early rather than half a beat late.
                var renew = isBack || time.GetElapsedTime(renewed) >= renewEvery - (beat / 2);
                if (renew)
                    renewed = time.GetTimestamp();
                var calls = _held.Where(p => !p.Value.IsEmpty).Select(p => TickAsync(p.Key, renew ? [.. p.Value.Values] : []));
                if (!await AllAnsweredAsync(calls).ConfigureAwait(false))
                    renewed = time.GetTimestamp() - (long)(renewEvery.TotalSeconds * time.TimestampFrequency);
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The process ends.
        }
    }

    private static async Task<bool> AllAnsweredAsync(IEnumerable<Task<bool>> calls) =>
        (await Task.WhenAll(calls).ConfigureAwait(false)).All(answered => answered);

    /// <returns>False when Redis did not answer: the next beat renews again.</returns>
    private async Task<bool> TickAsync(QueuePartition partition, HeldJob[] jobs)
    {
        try
        {
            if (jobs.Length == 0)
                await partition.RenewAsync(options.Name, []).ConfigureAwait(false);
            foreach (var part in jobs.Chunk(JobsPerCall))
            {
                var held = await partition.RenewAsync(options.Name, [.. part.Select(j => j.Claim)]).ConfigureAwait(false);
                foreach (var (job, state) in part.Zip(held))
                {
                    // A job that was settled while the call was on its way is no loss, also where the answer of settling comes after this one.
                    if (state == LeaseState.Held || job.IsSettling || !(_held.TryGetValue(partition, out var now) && now.TryGetValue(job.Claim.Job.Id, out var current) && ReferenceEquals(current, job)))
                        continue;
                    if (state == LeaseState.Lost)
                        Lose(job);
                    else
                        job.Cancel();
                }
            }

            return true;
        }
        catch (Exception e) when (e is RedisException or RedisTimeoutException or QueueMismatchException)
        {
            if (e is not RedisDeniedException)
                LogNotRenewed(partition.Queue, partition.Index, e.GetType().Name);
            return false;
        }
    }

    private void Lose(HeldJob job)
    {
        if (job.Lost)
            return;
        job.Lose();
        WorkerTelemetry.LostLeases.Add(1, new KeyValuePair<string, object?>("messaging.destination.name", job.Claim.Job.Queue));
        LogLost(job.Claim.Job.Id);
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The lease on job {JobId} is lost: its work stops here, another worker has it or will have it")]
    private partial void LogLost(string jobId);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Leases of queue {Queue}, partition {Partition}, could not be renewed ({Error}); trying again at the next beat")]
    private partial void LogNotRenewed(string queue, int partition, string error);
}
