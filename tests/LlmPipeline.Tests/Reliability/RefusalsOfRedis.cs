using System.Net.Sockets;
using System.Text;
using StackExchange.Redis;

namespace LlmPipeline;

[Trait("Category", "Slow")]
public sealed class RefusalsOfRedis
{
    [Fact]
    public async Task Out_of_memory_only_enqueueing_is_refused_and_all_that_was_accepted_ends()
    {
        await using var fleet = await TestFleet.StartAsync(latency: 50, lease: 3);
        await fleet.EnqueueAsync(1, 400);
        var worker = fleet.StartWorker(16);
        await fleet.PaidAsync(40);
        await fleet.TellRedisAsync("CONFIG", "SET", "maxmemory", "1");

        var refused = await Assert.ThrowsAsync<RedisServerException>(() => fleet.EnqueueAsync(401, 450));
        await fleet.EndAsync(400);
        await fleet.TellRedisAsync("CONFIG", "SET", "maxmemory", "0");
        await fleet.EnqueueAsync(401, 450);

        Assert.Contains("OOM", refused.Message);
        await History.CheckAsync(fleet, 450, paidTwice: 0);
        Assert.False(worker.HasExited);
    }

    [Fact]
    public async Task A_Redis_that_became_a_replica_is_waited_for()
    {
        await using var fleet = await TestFleet.StartAsync(latency: 50);
        var worker = fleet.StartWorker(16);
        var rows = await fleet.FeedAsync(async () =>
        {
            await fleet.PaidAsync(100);
            await fleet.TellRedisAsync("REPLICAOF", "127.0.0.1", "1");
            await fleet.HoldsAsync(() => Task.FromResult(worker.Said.Contains("READONLY")), "the worker says what is the matter");
            await fleet.TellRedisAsync("REPLICAOF", "NO", "ONE");
            await fleet.PaidAsync(fleet.Llm.Stats.Completed + 100);
        });

        await History.CheckAsync(fleet, rows, paidTwice: 0);
    }

    [Fact]
    public async Task A_Redis_that_cannot_save_is_waited_for()
    {
        await using var fleet = await TestFleet.StartAsync(latency: 50);
        var worker = fleet.StartWorker(16);
        var obstacle = Path.Join(fleet.Server.Folder, "dump.rdb");
        var rows = await fleet.FeedAsync(async () =>
        {
            await fleet.PaidAsync(100);
            // A file cannot take the place of a folder.
            Directory.CreateDirectory(obstacle);
            await fleet.TellRedisAsync("CONFIG", "SET", "save", "3600 1000000");
            await fleet.TellRedisAsync("BGSAVE");
            await fleet.HoldsAsync(() => Task.FromResult(worker.Said.Contains("MISCONF")), "the worker says what is the matter");
            Directory.Delete(obstacle);
            await fleet.TellRedisAsync("BGSAVE");
            await fleet.PaidAsync(fleet.Llm.Stats.Completed + 100);
        });

        await History.CheckAsync(fleet, rows, paidTwice: 0);
    }

    [Fact]
    public async Task A_Redis_that_takes_its_time_to_load_is_waited_for()
    {
        await using var fleet = await TestFleet.StartAsync(
            latency: 50, redis: [.. TestFleet.Durable, "--key-load-delay", "1000", "--loading-process-events-interval-bytes", "1024"]);
        fleet.StartWorker(16);
        var said = "";
        var rows = await fleet.FeedAsync(async () =>
        {
            await fleet.PaidAsync(400);
            await fleet.Server.KillAsync();
            var restarted = fleet.Server.RestartAsync();
            while (!restarted.IsCompleted)
                said += await AskAsync(fleet.Server.Port);
            await restarted;
            await fleet.PaidAsync(fleet.Llm.Stats.Completed + 100);
        });

        Assert.Contains("LOADING", said);
        await History.CheckAsync(fleet, rows, paidTwice: 0);
    }

    [Fact]
    public async Task A_Redis_that_forgets_its_scripts_gets_them_again()
    {
        await using var fleet = await TestFleet.StartAsync(latency: 50, lease: 3);
        fleet.StartWorker(16);
        var rows = await fleet.FeedAsync(
            async () =>
            {
                for (var flush = 1; flush <= 20; flush++)
                {
                    await fleet.PaidAsync(20 * flush);
                    await fleet.TellRedisAsync("SCRIPT", "FLUSH");
                }
            },
            fails: 10);

        await History.CheckAsync(fleet, rows, paidTwice: 0, failed: rows / 10);
    }

    private static async Task<string> AskAsync(int port)
    {
        try
        {
            using var client = new TcpClient();
            await client.ConnectAsync("127.0.0.1", port);
            await client.GetStream().WriteAsync("GET x\r\n"u8.ToArray());
            var answer = new byte[100];
            return Encoding.ASCII.GetString(answer, 0, await client.GetStream().ReadAsync(answer));
        }
        catch (Exception e) when (e is SocketException or IOException)
        {
            return "";
        }
    }
}
