using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>Returns leases that expired, or whose process is gone, to their queues. Runs in every worker; it never buries and never stores.</summary>
/// <remarks>
/// Where a partition's Redis was away, it was Redis and not the workers: they get the time to renew. That it was away tells the time between two of its
/// answers, by its own clock; a connection doesn't tell it, since a call that waits for Redis is answered at the moment it is back.
/// </remarks>
internal sealed partial class Reclaimer(IReadOnlyList<QueuePartition> partitions, PromptQueueOptions queue, WorkerOptions options, TimeProvider time, ILogger<Reclaimer> logger)
{
    private static readonly TimeSpan LeastGrace = TimeSpan.FromSeconds(3);

    // From here on a worker may count as gone without fault of its own, two beats before it does.
    private readonly TimeSpan _gap = queue.WorkerTimeout / 3 > options.ReclaimInterval * 2 ? queue.WorkerTimeout / 3 : options.ReclaimInterval * 2;
    private readonly TimeSpan _grace = (queue.Lease / 3 > LeastGrace ? queue.Lease / 3 : LeastGrace) + (queue.Lease / 10 * Random.Shared.NextDouble());

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var watches = partitions.Select(partition => new Watch(partition) { Back = time.GetTimestamp(), Gap = _gap }).ToList();
        try
        {
            while (true)
            {
                await Task.Delay(options.ReclaimInterval * (0.75 + (Random.Shared.NextDouble() / 2)), time, cancellationToken).ConfigureAwait(false);
                await Task.WhenAll(watches.Select(watch => ReclaimAsync(watch, cancellationToken))).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The process ends.
        }
    }

    private async Task ReclaimAsync(Watch watch, CancellationToken cancellationToken)
    {
        var partition = watch.Partition;
        try
        {
            var may = time.GetElapsedTime(watch.Back) >= _grace;
            // A call that itself waits for so long waits for Redis, however late this process has been before.
            var longest = time.GetElapsedTime(watch.AnsweredHere) + (_gap * 2);
            var gap = watch.Gap < longest ? watch.Gap : longest;
            var answer = await partition.ReclaimAsync(may ? watch.Answered : DateTimeOffset.UnixEpoch, gap, cancellationToken).ConfigureAwait(false);
            watch.Answered = answer.Time;
            watch.AnsweredHere = time.GetTimestamp();
            if (may)
                watch.Gap = answer.Away ? watch.Gap * 2 : _gap;
            if (may && answer.Away)
                watch.Back = time.GetTimestamp();
            if (answer.SteppedBack > TimeSpan.Zero)
            {
                WorkerTelemetry.ClockSteps.Add(1, new KeyValuePair<string, object?>("messaging.destination.name", partition.Queue));
                LogSteppedBack(partition.Queue, partition.Index, answer.SteppedBack.TotalSeconds);
            }

            if (answer.Returned == 0)
                return;
            WorkerTelemetry.Reclaimed.Add(answer.Returned, new KeyValuePair<string, object?>("messaging.destination.name", partition.Queue));
            LogReclaimed(answer.Returned, partition.Queue, partition.Index);
        }
        catch (Exception e) when (e is RedisException or RedisTimeoutException)
        {
            watch.Back = time.GetTimestamp();
            if (e is not RedisDeniedException)
                LogFailed(partition.Queue, partition.Index, e.GetType().Name);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Count} jobs of queue {Queue}, partition {Partition}, wait again: their worker is gone or lost its lease")]
    private partial void LogReclaimed(int count, string queue, int partition);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The clock of Redis has stepped back by {Seconds} s or a little more; the times of queue {Queue}, partition {Partition}, go on from the latest one")]
    private partial void LogSteppedBack(string queue, int partition, double seconds);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Expired leases of queue {Queue}, partition {Partition}, could not be looked for ({Error})")]
    private partial void LogFailed(string queue, int partition, string error);

    private sealed class Watch(QueuePartition partition)
    {
        public QueuePartition Partition { get; } = partition;

        /// <summary>When it answered last, by its own clock.</summary>
        public DateTimeOffset Answered { get; set; } = DateTimeOffset.UnixEpoch;

        /// <summary>The same by this process' clock.</summary>
        public long AnsweredHere { get; set; }

        /// <summary>The longest time between two answers; longer each time that it was passed, so that a process that is always late reclaims too.</summary>
        public required TimeSpan Gap { get; set; }

        /// <summary>Since when it answers without a gap, by this process' clock.</summary>
        public required long Back { get; set; }
    }
}
