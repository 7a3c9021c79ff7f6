using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging.Abstractions;
using StackExchange.Redis;

namespace LlmPipeline;

public sealed class StartingTheEmbeddedStore
{
    [Fact]
    public async Task It_answers_whoever_has_its_configuration()
    {
        await using var store = await EmbeddedRedis.StartAsync();
        await using var redis = await ConnectionMultiplexer.ConnectAsync(store.Configuration);

        await redis.GetDatabase().StringSetAsync("greeting", "hello");

        Assert.Equal("hello", await redis.GetDatabase().StringGetAsync("greeting"));
        Assert.StartsWith("127.0.0.1:", store.Endpoint);
        Assert.StartsWith(store.Endpoint + ",", store.Configuration);
    }

    [Theory]
    [InlineData("")]
    [InlineData(",password=0123456789abcdef")]
    public async Task It_refuses_whoever_has_not(string credentials)
    {
        await using var store = await EmbeddedRedis.StartAsync();

        await Assert.ThrowsAnyAsync<Exception>(async () =>
        {
            await using var redis = await ConnectionMultiplexer.ConnectAsync(store.Endpoint + credentials + ",connectRetry=1,connectTimeout=2000");
            await redis.GetDatabase().PingAsync();
        });
    }

    [Fact]
    public async Task Two_at_once_share_nothing()
    {
        var stores = await Task.WhenAll(EmbeddedRedis.StartAsync(), EmbeddedRedis.StartAsync());
        await using var first = stores[0];
        await using var second = stores[1];
        await using var toFirst = await ConnectionMultiplexer.ConnectAsync(first.Configuration);
        await using var toSecond = await ConnectionMultiplexer.ConnectAsync(second.Configuration);

        await toFirst.GetDatabase().StringSetAsync("key", "of the first");

        Assert.NotEqual(first.Endpoint, second.Endpoint);
        Assert.False(await toSecond.GetDatabase().KeyExistsAsync("key"));
    }

    [Fact]
    public async Task A_disposed_one_is_gone_and_the_next_starts_empty_on_the_same_port()
    {
        var first = await EmbeddedRedis.StartAsync();
        var port = int.Parse(first.Endpoint.Split(':')[1]);
        await using (var redis = await ConnectionMultiplexer.ConnectAsync(first.Configuration))
            await redis.GetDatabase().StringSetAsync("key", "value");
        await first.DisposeAsync();
        await first.DisposeAsync();

        Assert.False(LoopbackPort.IsTaken(port));
        await using var second = await EmbeddedRedis.StartAsync(new EmbeddedRedisOptions { Port = port });
        await using var again = await ConnectionMultiplexer.ConnectAsync(second.Configuration);
        Assert.False(await again.GetDatabase().KeyExistsAsync("key"));
    }

    [Fact]
    public async Task A_port_in_use_is_named()
    {
        using var holder = new TcpListener(IPAddress.Loopback, 0);
        holder.Start();
        var port = ((IPEndPoint)holder.LocalEndpoint).Port;

        var error = await Assert.ThrowsAsync<EmbeddedRedisException>(() => EmbeddedRedis.StartAsync(new EmbeddedRedisOptions { Port = port }));

        Assert.Equal($"the embedded Redis store did not start: port {port} of 127.0.0.1 is in use", error.Message);
    }

    [Fact]
    public async Task A_start_that_was_cancelled_starts_nothing()
    {
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => EmbeddedRedis.StartAsync(cancellationToken: new CancellationToken(canceled: true)));
    }

    [Fact]
    public async Task No_file_is_left_in_the_working_directory()
    {
        var before = Directory.GetFileSystemEntries(Directory.GetCurrentDirectory());

        await using (var store = await EmbeddedRedis.StartAsync())
        await using (var redis = await ConnectionMultiplexer.ConnectAsync(store.Configuration))
            await redis.GetDatabase().StringSetAsync("key", "value");

        Assert.Equal(before.Order(), Directory.GetFileSystemEntries(Directory.GetCurrentDirectory()).Order());
    }

    [Fact]
    public void The_first_error_of_its_log_is_kept_on_one_line()
    {
        using var log = new GarnetLog(NullLogger.Instance);

        log.Log(Microsoft.Extensions.Logging.LogLevel.Warning, default, "a warning", null, (text, _) => text);
        log.Log(Microsoft.Extensions.Logging.LogLevel.Error, default, "the cause\nof it", null, (text, _) => text);
        log.Log(Microsoft.Extensions.Logging.LogLevel.Error, default, "a consequence", null, (text, _) => text);

        Assert.Equal("the cause of it", log.FirstError);
    }
}
