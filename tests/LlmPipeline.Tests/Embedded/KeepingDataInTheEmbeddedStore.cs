using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>What the queue's scripts rely on and what Garnet, started otherwise, does not do.</summary>
public sealed class KeepingDataInTheEmbeddedStore(KeepingDataInTheEmbeddedStore.Store store) : IClassFixture<KeepingDataInTheEmbeddedStore.Store>
{
    private readonly IDatabase _redis = store.Connection.GetDatabase();

    [Fact]
    public async Task A_key_that_is_only_read_outlives_any_number_of_others()
    {
        await _redis.HashSetAsync("written-once", "partitions", "1");
        var body = new byte[2000];

        // 200 MB through the store, of which nothing stays: more than Garnet's usual small settings keep.
        for (var round = 0; round < 20; round++)
        {
            var keys = Enumerable.Range(0, 5000).Select(i => (RedisKey)$"passing:{round}:{i}").ToArray();
            await Task.WhenAll(keys.Select(key => _redis.StringSetAsync(key, body)));
            await _redis.KeyDeleteAsync(keys);
        }

        Assert.Equal("1", await _redis.HashGetAsync("written-once", "partitions"));
    }

    [Fact]
    public async Task A_new_bitmap_has_no_bits_of_deleted_values()
    {
        var ones = new byte[40];
        ones.AsSpan().Fill(0xFF);
        for (var i = 0; i < 300; i++)
        {
            await _redis.StringSetAsync("value:" + i % 7, ones);
            await _redis.KeyDeleteAsync("value:" + i % 7);
            await _redis.StringSetBitAsync("bitmap:" + i, 10 + i, true);
        }

        var counts = await Task.WhenAll(Enumerable.Range(0, 300).Select(i => _redis.StringBitCountAsync("bitmap:" + i)));

        Assert.All(counts, count => Assert.Equal(1, count));
    }

    [Fact]
    public async Task Scripts_on_one_declared_key_do_not_run_at_the_same_time()
    {
        const string increment = "local n = tonumber(redis.call('HGET', KEYS[1], 'n') or '0') redis.call('HSET', KEYS[1], 'n', n + 1) return n";
        await using var other = await ConnectionMultiplexer.ConnectAsync(store.Embedded.Configuration);
        IDatabase[] connections = [_redis, other.GetDatabase()];

        await Task.WhenAll(Enumerable.Range(0, 4000).Select(i => connections[i % 2].ScriptEvaluateAsync(increment, ["counted"])));

        Assert.Equal(4000, await _redis.HashGetAsync("counted", "n"));
    }

    [Fact]
    public async Task Every_byte_survives_a_script()
    {
        var bytes = Enumerable.Range(0, 256).Select(i => (byte)i).ToArray();

        var answer = await _redis.ScriptEvaluateAsync(
            "redis.call('HSET', KEYS[1], ARGV[1], ARGV[1]) return redis.call('HGET', KEYS[1], ARGV[1])", ["bytes"], [bytes]);

        Assert.Equal(bytes, (byte[]?)answer);
    }

    [Fact]
    public async Task A_reply_of_sixteen_mebibytes_comes_whole()
    {
        var value = new byte[1 << 20];
        new Random(1).NextBytes(value);
        await _redis.HashSetAsync("big", "f", value);

        var answer = (RedisResult[])(await _redis.ScriptEvaluateAsync(
            "local t = {} for i = 1, 16 do t[i] = redis.call('HGET', KEYS[1], 'f') end return t", ["big"]))!;

        Assert.Equal(16, answer.Length);
        Assert.All(answer, part => Assert.True(value.AsSpan().SequenceEqual((byte[])part!)));
    }

    [Fact]
    public async Task A_script_wakes_a_subscriber()
    {
        var heard = new TaskCompletionSource<string?>(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var listener = await ConnectionMultiplexer.ConnectAsync(store.Embedded.Configuration);
        await listener.GetSubscriber().SubscribeAsync(RedisChannel.Literal("wake"), (_, message) => heard.TrySetResult(message));

        var receivers = await _redis.ScriptEvaluateAsync("return redis.call('PUBLISH', ARGV[1], ARGV[2])", [], ["wake", "look"]);

        Assert.Equal(1, (int)receivers);
        Assert.Equal("look", await heard.Task.WaitAsync(TimeSpan.FromSeconds(10)));
    }

    [Fact]
    public async Task A_flushed_script_is_loaded_again()
    {
        Assert.Equal(42, (int)await _redis.ScriptEvaluateAsync("return 42"));
        await _redis.ExecuteAsync("SCRIPT", "FLUSH");
        Assert.Equal(42, (int)await _redis.ScriptEvaluateAsync("return 42"));
    }

    public sealed class Store : IAsyncLifetime
    {
        public EmbeddedRedis Embedded { get; private set; } = null!;

        public ConnectionMultiplexer Connection { get; private set; } = null!;

        public async Task InitializeAsync()
        {
            Embedded = await EmbeddedRedis.StartAsync();
            Connection = await ConnectionMultiplexer.ConnectAsync(Embedded.Configuration + ",asyncTimeout=30000");
        }

        public async Task DisposeAsync()
        {
            await Connection.DisposeAsync();
            await Embedded.DisposeAsync();
        }
    }
}
