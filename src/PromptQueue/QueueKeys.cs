using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>The keys of one partition; all share the hash tag <c>{pq:queue:p}</c> and so one cluster slot.</summary>
internal sealed class QueueKeys
{
    private readonly string _tag;

    public QueueKeys(string prefix, string queue, int partition)
    {
        _tag = $"{prefix}{{pq:{queue}:{partition}}}";
        Meta = _tag + ":meta";
        Jobs = _tag + ":jobs";
        Waiting = [_tag + ":waiting:high", _tag + ":waiting:normal", _tag + ":waiting:low"];
        Delayed = _tag + ":delayed";
        Inflight = _tag + ":inflight";
        Leases = _tag + ":leases";
        Workers = _tag + ":workers";
        Dead = _tag + ":dead";
        Cancel = _tag + ":cancel";
        Stopped = _tag + ":stopped";
        Deadlines = _tag + ":deadlines";
        Spent = _tag + ":spent";
        Standing = _tag + ":standing";
        Wake = _tag + ":wake";
    }

    /// <summary>HASH: partitions, version: set once, checked by every script; paused while it is; retired while no job is accepted without a registration.</summary>
    public RedisKey Meta { get; }

    /// <summary>HASH: id → envelope, until the job has ended (a dead one keeps it).</summary>
    public RedisKey Jobs { get; }

    /// <summary>LISTs of ids: lanes high, normal, low.</summary>
    public IReadOnlyList<RedisKey> Waiting { get; }

    /// <summary>ZSET: id → due time, ms.</summary>
    public RedisKey Delayed { get; }

    /// <summary>ZSET: id → lease deadline, ms. The only in-flight structure.</summary>
    public RedisKey Inflight { get; }

    /// <summary>HASH: id → <c>token|attempts charged|times lost|worker</c>; the token is empty while nobody holds it.</summary>
    public RedisKey Leases { get; }

    /// <summary>ZSET: process → last seen, ms.</summary>
    public RedisKey Workers { get; }

    /// <summary>ZSET: id → time buried, ms.</summary>
    public RedisKey Dead { get; }

    /// <summary>SET: ids that were asked to stop and have not ended.</summary>
    public RedisKey Cancel { get; }

    /// <summary>ZSET: batch that was asked to stop and has rows left → when it was asked, ms.</summary>
    public RedisKey Stopped { get; }

    /// <summary>ZSET: id → deadline, ms; only jobs that have one. What is left of jobs that are gone is removed when it is due.</summary>
    public RedisKey Deadlines { get; }

    /// <summary>HASH: deployment → what calls for jobs of this partition have cost, in billionths of the price table's currency.</summary>
    public RedisKey Spent { get; }

    /// <summary>ZSET: claim that found no job and stands until one comes, as <c>hand.lua</c> has it → since when it stands, ms.</summary>
    public RedisKey Standing { get; }

    /// <summary>Channel: what standing claims with that ear are answered.</summary>
    public string Handed(string ear) => $"{Wake}:{ear}";

    /// <summary>Channel: says "look", never carries a job; <c>!</c> and ids, a line each, name jobs and batches that were asked to stop.</summary>
    public string Wake { get; }

    /// <summary>HASH: expected, completed, failed, cancelled of this partition, spent (in nanos; absent as long as no price is known), how much of the finished list was taken, and the stop flag.</summary>
    public RedisKey Batch(string batch) => $"{_tag}:batch:{batch}";

    /// <summary>Bitmap of 2 bits a row: 0 has not ended, 1 completed, 2 failed or expired, 3 cancelled.</summary>
    public RedisKey Ended(string batch) => $"{_tag}:ended:{batch}";

    /// <summary>LIST: ids in order of ending.</summary>
    public RedisKey Finished(string batch) => $"{_tag}:finished:{batch}";

    /// <summary>Every key of the partition, but for those of batches, which end by themselves.</summary>
    public RedisKey[] All => [Meta, Jobs, .. Waiting, Delayed, Inflight, Leases, Workers, Dead, Cancel, Stopped, Deadlines, Spent, Standing];

    /// <summary>ZSET: private queue → when a run last created or continued it, ms. Those older than a batch's lifetime are removed with all their keys.</summary>
    public static RedisKey PrivateQueues(string prefix) => prefix + "pq:private";

    /// <summary>STRING: the live run of a batch; expires soon after the run has died.</summary>
    public static RedisKey BatchLock(string prefix, string batch) => $"{prefix}pq:lock:{batch}";

    /// <summary>SET: the queues that workers serve, without private ones. One that has jobs is here.</summary>
    public static RedisKey Queues(string prefix) => prefix + "pq:queues";

    /// <summary>
    /// ZSET: queue without jobs → when it was retired, ms. It is added before it leaves <see cref="Queues"/>, so that each queue is in one of
    /// them or both. Those older than a batch's lifetime are removed with all their keys.
    /// </summary>
    public static RedisKey RetiredQueues(string prefix) => prefix + "pq:retired";

    /// <summary>HASH: live worker → the models that it serves, as <see cref="FleetModels"/> has them.</summary>
    public static RedisKey Models(string prefix) => prefix + "pq:models";

    /// <summary>HASH: live worker → what it says of itself, as <see cref="LlmPipeline.FleetWorkers"/> has it.</summary>
    public static RedisKey FleetWorkers(string prefix) => prefix + "pq:workers";

    /// <summary>Channel: says that a queue was created.</summary>
    public static string QueuesChannel(string prefix) => prefix + "pq:queues";

    /// <summary>HASH: a batch as a whole.</summary>
    public static RedisKey WholeBatch(string prefix, string batch) => $"{prefix}pq:batch:{batch}";

    /// <summary>ZSET: batch → when it was created, ms.</summary>
    public static RedisKey AllBatches(string prefix) => prefix + "pq:batches";

    /// <summary>HASH: a prompt function's files: name → content.</summary>
    public static RedisKey Prompt(string prefix, string sha) => $"{prefix}pq:prompt:{sha}";
}
