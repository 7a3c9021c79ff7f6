using System.Net;
using System.Net.Sockets;
using StackExchange.Redis;

namespace LlmPipeline;

public sealed class ConnectingToRedis
{
    [Fact]
    public async Task A_closed_port_is_said_in_a_line_and_in_seconds()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;
        listener.Stop();
        var started = TimeProvider.System.GetTimestamp();
        var thrown = await Assert.ThrowsAsync<RedisUnreachableException>(() => Stores.ConnectAsync($"127.0.0.1:{port},password=hunter2"));
        Assert.InRange(TimeProvider.System.GetElapsedTime(started), TimeSpan.Zero, TimeSpan.FromSeconds(10));
        Assert.Equal($"Redis at 127.0.0.1:{port} cannot be reached: no answer", thrown.Message);
        Assert.DoesNotContain("hunter2", thrown.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_wrong_password_and_none_are_told_from_no_answer()
    {
        await using var server = await RedisServer.StartAsync("--requirepass", "right");
        foreach (var address in (string[])[$"127.0.0.1:{server.Port},password=hunter2", $"127.0.0.1:{server.Port}", $"redis://nobody:hunter2@127.0.0.1:{server.Port}"])
        {
            var thrown = await Assert.ThrowsAsync<RedisUnreachableException>(() => Stores.ConnectAsync(address));
            Assert.Contains("refuses the user or the password", thrown.Message, StringComparison.Ordinal);
            Assert.DoesNotContain("hunter2", thrown.ToString(), StringComparison.Ordinal);
        }

        await using var redis = await Stores.ConnectAsync($"redis://:right@127.0.0.1:{server.Port}/2");
        Assert.Equal(2, redis.Database.Database);
    }

    [Fact]
    public async Task Cancelling_ends_a_connect_to_a_server_that_says_nothing()
    {
        using var silent = new TcpListener(IPAddress.Loopback, 0);
        silent.Start();
        using var cancellation = new CancellationTokenSource(TimeSpan.FromMilliseconds(100));
        var started = TimeProvider.System.GetTimestamp();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => RedisConnections.ConnectAsync(
            RedisAddress.Parse($"127.0.0.1:{((IPEndPoint)silent.LocalEndpoint).Port}"), TimeProvider.System, cancellationToken: cancellation.Token));
        Assert.InRange(TimeProvider.System.GetElapsedTime(started), TimeSpan.Zero, TimeSpan.FromSeconds(4));
    }

    [Fact]
    public async Task A_server_that_was_killed_is_found_again_and_says_so()
    {
        await using var server = await RedisServer.StartAsync("--appendonly", "yes", "--appendfsync", "always");
        await using var redis = await Stores.ConnectAsync(server.Address);
        var queue = await TestQueue.CreateAsync(redis);
        await queue.EnqueueRowsAsync(1, 3);
        var job = await queue.ClaimOneAsync();
        Assert.Equal(0, redis.Restored.Version);
        Assert.Equal(0, redis.Losses);
        await server.KillAsync();
        var answer = RedisRetry.UntilAnsweredAsync(() => queue.CompleteAsync(job), TimeProvider.System);
        await server.RestartAsync();
        Assert.NotEqual(SettleOutcome.SomeoneElses, await answer.WaitAsync(TimeSpan.FromSeconds(40)));
        Assert.True(await redis.Restored.WaitAsync(0, TimeSpan.FromSeconds(20), TimeProvider.System, CancellationToken.None));
        Assert.NotEqual(0, redis.Losses);
        Assert.Equal([2, 3], (await queue.ClaimAsync()).Select(j => j.Job.Row));
        Assert.Equal(new BatchProgress(3, 1, 0, 0), await queue.ProgressAsync());
        await OnePlace.AssertAsync(queue);
    }

    [Fact]
    public async Task Enqueueing_outlives_a_restart()
    {
        await using var server = await RedisServer.StartAsync("--appendonly", "yes", "--appendfsync", "always");
        await using var redis = await Stores.ConnectAsync(server.Address);
        var queue = await TestQueue.CreateAsync(redis);
        await queue.EnqueueRowsAsync(1, 1);
        await server.KillAsync();
        var enqueued = queue.EnqueueRowsAsync(1, 3);
        await server.RestartAsync();
        await enqueued;
        Assert.Equal(3, (await queue.StatsAsync()).Waiting);
    }
}
