using System.Text.Json;
using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>Jobs on Redis, as their owners know them; never another owner's. A record outlives the result.</summary>
internal sealed class JobRecords(RedisConnections redis, string prefix, TimeSpan resultLife)
{
    /// <summary>The job of this owner; null when there is none of that id.</summary>
    public async Task<JobRecord?> FindAsync(string owner, string id) =>
        JobId.Is(id) && (byte[]?)await redis.Commands.StringGetAsync(Key(owner, id)) is { } json ? JsonSerializer.Deserialize(json, JobRecordJson.Compact.JobRecord) : null;

    /// <summary>Keeps a record.</summary>
    /// <param name="owner">Whose.</param>
    /// <param name="id">The job.</param>
    /// <param name="record">What is known of it.</param>
    /// <param name="ahead">How long from now the job may wait at most, where that is known.</param>
    /// <param name="when">Whether only where there is none.</param>
    /// <returns>False: there is one.</returns>
    public Task<bool> SaveAsync(string owner, string id, JobRecord record, TimeSpan ahead, When when = When.Always) => redis.Commands.StringSetAsync(
        Key(owner, id), JsonSerializer.SerializeToUtf8Bytes(record, JobRecordJson.Compact.JobRecord), (resultLife * 2) + ahead, when: when);

    public Task RemoveAsync(string owner, string id) => redis.Commands.KeyDeleteAsync(Key(owner, id));

    private RedisKey Key(string owner, string id) => new GatewayKeys(prefix, owner).Job(id);
}
