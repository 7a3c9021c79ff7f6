using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>Returns leases that expired, or whose process is gone, to their queues. Runs in every worker; it never buries and never stores.</summary>
internal sealed partial class Reclaimer(
    RedisConnections redis, IReadOnlyList<QueuePartition> partitions, PromptQueueOptions queue, WorkerOptions options, TimeProvider time, ILogger<Reclaimer> logger)
{
    private static readonly TimeSpan LeastGrace = TimeSpan.FromSeconds(3);

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        // After a (re)connect it was Redis that was away, not the workers: they get the time to renew. Whether their connections are back is
        // looked at once a second, so a shorter grace would be none. (While Redis is away nothing may be asked: it would be asked at the moment it is back.)
        var grace = (queue.Lease / 3 > LeastGrace ? queue.Lease / 3 : LeastGrace) + (queue.Lease / 10 * Random.Shared.NextDouble());
        try
        {
            while (true)
            {
                await Task.Delay(options.ReclaimInterval * (0.75 + (Random.Shared.NextDouble() / 2)), time, cancellationToken).ConfigureAwait(false);
                if (redis.SinceRestored >= grace)
                    await ReclaimAsync(cancellationToken).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The process ends.
        }
    }

    private async Task ReclaimAsync(CancellationToken cancellationToken)
    {
        foreach (var partition in partitions)
        {
            try
            {
                var returned = await partition.ReclaimAsync(cancellationToken).ConfigureAwait(false);
                if (returned == 0)
                    continue;
                WorkerTelemetry.Reclaimed.Add(returned, new KeyValuePair<string, object?>("messaging.destination.name", partition.Queue));
                LogReclaimed(returned, partition.Queue, partition.Index);
            }
            catch (Exception e) when (e is RedisException or RedisTimeoutException)
            {
                LogFailed(partition.Queue, partition.Index, e.GetType().Name);
                return;
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Count} jobs of queue {Queue}, partition {Partition}, wait again: their worker is gone or lost its lease")]
    private partial void LogReclaimed(int count, string queue, int partition);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Expired leases of queue {Queue}, partition {Partition}, could not be looked for ({Error})")]
    private partial void LogFailed(string queue, int partition, string error);
}
