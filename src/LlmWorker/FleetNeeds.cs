namespace LlmPipeline;

/// <summary>What workers and those who submit need of Redis.</summary>
internal static class FleetNeeds
{
    private const string Any = "permission-check";

    /// <param name="queues">The queues that are looked at; one stands for all when there is none.</param>
    /// <param name="queuePrefix">What the keys of the queue begin with.</param>
    /// <param name="resultPrefix">What those of results begin with.</param>
    /// <param name="quotaPrefix">What those of quotas begin with.</param>
    public static RedisNeeds Of(IEnumerable<string> queues, string queuePrefix, string resultPrefix, string quotaPrefix)
    {
        var keys = new List<(string Pattern, StackExchange.Redis.RedisKey Example)>();
        var channels = new List<(string Pattern, string Example)>();
        foreach (var queue in queues.DefaultIfEmpty(Any))
        {
            var of = new QueueKeys(queuePrefix, queue, 0);
            var tag = $"{queuePrefix}{{pq:*}}:";
            keys.AddRange([
                (tag + "meta", of.Meta), (tag + "jobs", of.Jobs), (tag + "delayed", of.Delayed), (tag + "inflight", of.Inflight),
                (tag + "leases", of.Leases),
                (tag + "workers", of.Workers), (tag + "dead", of.Dead), (tag + "cancel", of.Cancel), (tag + "stopped", of.Stopped),
                (tag + "deadlines", of.Deadlines), (tag + "spent", of.Spent), (tag + "standing", of.Standing),
                (tag + "batch:*", of.Batch(Any)), (tag + "ended:*", of.Ended(Any)), (tag + "finished:*", of.Finished(Any)),
            ]);
            keys.AddRange(of.Waiting.Select(lane => (tag + "waiting:*", lane)));
            channels.AddRange([(tag + "wake", of.Wake), (tag + "wake:*", of.Handed(Any))]);
        }

        keys.AddRange([
            ($"{queuePrefix}pq:queues", QueueKeys.Queues(queuePrefix)), ($"{queuePrefix}pq:batches", QueueKeys.AllBatches(queuePrefix)),
            ($"{queuePrefix}pq:batch:*", QueueKeys.WholeBatch(queuePrefix, Any)),
            ($"{queuePrefix}pq:prompt:*", QueueKeys.Prompt(queuePrefix, Any)),
            ($"{queuePrefix}pq:private", QueueKeys.PrivateQueues(queuePrefix)),
            ($"{queuePrefix}pq:retired", QueueKeys.RetiredQueues(queuePrefix)), ($"{queuePrefix}pq:models", QueueKeys.Models(queuePrefix)),
            ($"{queuePrefix}pq:workers", QueueKeys.FleetWorkers(queuePrefix)),
            ($"{queuePrefix}pq:lock:*", QueueKeys.BatchLock(queuePrefix, Any)),
            ($"{resultPrefix}result:*", $"{resultPrefix}result:{Any}"), ($"{resultPrefix}results:waited", $"{resultPrefix}results:waited"),
            ($"{quotaPrefix}{{quota:*}}", RedisLedger.KeyOf(Any, quotaPrefix)),
            ($"{quotaPrefix}{{quota:*}}:permits", RedisLedger.KeyOf(Any, quotaPrefix) + ":permits"),
            ($"{queuePrefix}deployments", $"{queuePrefix}deployments"),
        ]);
        channels.AddRange([
            ($"{queuePrefix}pq:queues", QueueKeys.QueuesChannel(queuePrefix)), ($"{resultPrefix}result:*", $"{resultPrefix}result:{Any}"),
            ($"{queuePrefix}deployments:open", $"{queuePrefix}deployments:open"),
        ]);
        return new RedisNeeds(keys, channels);
    }
}
