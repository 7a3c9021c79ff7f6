namespace LlmPipeline;

/// <summary>The stores that the queue and the results must work on alike.</summary>
public enum Store
{
    /// <summary>A redis-server.</summary>
    RedisServer,

    /// <summary>The store in the process.</summary>
    Embedded,

    /// <summary>A Redis Cluster of three masters.</summary>
    Cluster,
}

/// <summary>Theory data: each store once. All tests share one of each, so nothing is flushed and every test has names of its own.</summary>
public sealed class Stores : TheoryData<Store>
{
    private static readonly Lazy<Task<RedisConnections>> Server = new(async () => await ConnectAsync((await RedisServer.SharedAsync()).Address));
    private static readonly Lazy<Task<RedisConnections>> Embedded = new(async () => await ConnectAsync((await EmbeddedRedis.StartAsync()).Configuration));

    public Stores()
    {
        Add(Store.RedisServer);
        Add(Store.Embedded);
        Add(Store.Cluster);
    }

    /// <summary>The connections of the tests to a store.</summary>
    public static Task<RedisConnections> ConnectAsync(Store store) => store switch
    {
        Store.RedisServer => Server.Value,
        Store.Embedded => Embedded.Value,
        _ => RedisCluster.ConnectAsync(),
    };

    /// <summary>Connections of a test's own.</summary>
    public static Task<RedisConnections> ConnectAsync(string address) => RedisConnections.ConnectAsync(RedisAddress.Parse(address), TimeProvider.System);

    /// <summary>A name that no other test has.</summary>
    public static string NewName(string kind) => $"{kind}-{Guid.NewGuid():n}";
}
