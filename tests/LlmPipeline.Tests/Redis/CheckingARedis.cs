namespace LlmPipeline;

public sealed class CheckingARedis
{
    private const string NoReplica = "no replica is connected: when this server is lost, so is the queue";

    [Fact]
    public async Task A_redis_as_it_comes_lacks_a_log_and_a_replica() =>
        Assert.Equal(
            ["appendonly is off: a crash of Redis loses what came after its last snapshot; set appendonly yes and appendfsync always", NoReplica],
            await RedisPreflight.CheckAsync(await Stores.ConnectAsync(Store.RedisServer)));

    [Theory]
    [InlineData("maxmemory-policy is allkeys-lru: under pressure Redis drops jobs in silence; set noeviction", "--appendonly yes --appendfsync always --maxmemory-policy allkeys-lru")]
    [InlineData("appendfsync is everysec: a crash of the machine loses up to a second or more of accepted jobs; set always", "--appendonly yes")]
    [InlineData("CONFIG is not allowed here: whether Redis evicts keys and keeps an append-only file could not be checked", "--rename-command CONFIG forbidden")]
    public async Task What_is_unsafe_is_one_line(string line, string options)
    {
        await using var server = await RedisServer.StartAsync(options.Split(' '));
        await using var redis = await Stores.ConnectAsync(server.Address);
        Assert.Equal([line, NoReplica], await RedisPreflight.CheckAsync(redis));
    }

    [Fact]
    public async Task Each_master_of_a_cluster_is_looked_at()
    {
        var cluster = await RedisCluster.SharedAsync();
        var lines = await RedisPreflight.CheckAsync(await RedisCluster.ConnectAsync());
        Assert.All(cluster.Masters, master => Assert.Contains($"{master.Address}: {NoReplica}", lines));
    }

    [Fact]
    public async Task The_store_in_the_process_can_be_looked_at_and_keeps_no_log_either() =>
        Assert.Contains(await RedisPreflight.CheckAsync(await Stores.ConnectAsync(Store.Embedded)), line => line.StartsWith("appendonly is off", StringComparison.Ordinal));
}
