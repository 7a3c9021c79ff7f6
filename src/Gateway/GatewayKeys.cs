using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>The keys of one owner; all share the hash tag <c>{gw:owner}</c> and so one cluster slot. There is no key that finds a thing by its id alone.</summary>
internal sealed class GatewayKeys(string prefix, string owner)
{
    private readonly string _tag = $"{prefix}{{gw:{owner}}}";

    /// <summary>ZSET: file → when it was made, Unix µs, so that those of one millisecond keep their order.</summary>
    public RedisKey Files => _tag + ":files";

    /// <summary>ZSET: file → when it is to be removed, Unix s.</summary>
    public RedisKey Expiry => _tag + ":expiry";

    /// <summary>ZSET: file that is being written, or removed, on the disk → since when, Unix ms.</summary>
    public RedisKey Pending => _tag + ":pending";

    /// <summary>HASH: bytes, created_at, expires_at (0: never), filename, purpose, uses (open batches that read it).</summary>
    public RedisKey File(string id) => $"{_tag}:file:{id}";

    /// <summary>ZSET: as <see cref="Files"/>, of one purpose.</summary>
    public RedisKey FilesFor(string purpose) => $"{_tag}:files:{purpose}";

    /// <summary>ZSET: batch → when it was made, Unix µs.</summary>
    public RedisKey Batches => _tag + ":batches";

    /// <summary>ZSET: as <see cref="Batches"/>, those that have not ended.</summary>
    public RedisKey Open => _tag + ":open";

    /// <summary>HASH: file that a running batch will have → batch.</summary>
    public RedisKey Live => _tag + ":live";

    /// <summary>HASH: the fields of the wire's object, and those that <see cref="BatchRecord"/> tells.</summary>
    public RedisKey Batch(string id) => $"{_tag}:batch:{id}";

    /// <summary>STRING that expires: the token of who takes the batch on.</summary>
    public RedisKey Lease(string id) => $"{_tag}:lease:{id}";

    /// <summary>STRING that expires: a job, as <see cref="JobRecord"/> tells. In a slot of its own: there are many.</summary>
    public RedisKey Job(string id) => $"{prefix}gw:{owner}:job:{id}";

    /// <summary>SET: the owners that have anything here.</summary>
    public static RedisKey Owners(string prefix) => prefix + "gw:owners";
}
