using System.Text.Json;
using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>What version 0.1 has left: see Fixtures/README.md.</summary>
internal static class EarlierVersion
{
    public const string Batch = "b-13489a541eafc2d040af30fb9acae004";
    public const string Model = "gpt-fixture";
    public const int Rows = 6;
    public const int Answered = 2;

    public static string PathOf(string name) => Path.Join(Repository.Root, "tests", "LlmPipeline.Tests", "Batches", "Fixtures", name);

    /// <summary>Puts its keys on a Redis; its workers have been dead for long.</summary>
    public static async Task RestoreAsync(IDatabase redis, string name)
    {
        foreach (var key in JsonSerializer.Deserialize<List<Key>>(await File.ReadAllBytesAsync(PathOf(name)), JsonSerializerOptions.Web)!)
            await redis.ExecuteAsync("RESTORE", [(RedisKey)key.Name, 0, Convert.FromBase64String(key.Dump), "REPLACE"]);
        var keys = new QueueKeys("", Model, 0);
        foreach (var worker in await redis.SortedSetRangeByRankAsync(keys.Workers))
            await redis.SortedSetAddAsync(keys.Workers, worker, 1);
        foreach (var job in await redis.SortedSetRangeByRankAsync(keys.Inflight))
            await redis.SortedSetAddAsync(keys.Inflight, job, 1);
    }

    private sealed record Key([property: System.Text.Json.Serialization.JsonPropertyName("key")] string Name, string Dump);
}
