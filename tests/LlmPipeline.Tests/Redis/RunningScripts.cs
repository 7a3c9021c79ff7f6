using System.Reflection;

namespace LlmPipeline;

public sealed class RunningScripts
{
    [Theory, ClassData(typeof(Stores))]
    public async Task A_script_survives_that_the_server_forgets_it(Store store)
    {
        // Its own server or store: SCRIPT FLUSH is felt by everybody.
        await using var server = store == Store.RedisServer ? await RedisServer.StartAsync() : null;
        await using var embedded = store == Store.Embedded ? await EmbeddedRedis.StartAsync() : null;
        await using var cluster = store == Store.Cluster ? await RedisCluster.StartAsync() : null;
        await using var redis = await Stores.ConnectAsync(server?.Address ?? embedded?.Configuration ?? cluster!.Address);
        var queue = await TestQueue.CreateAsync(redis, options => options.Partitions = 1);
        await queue.EnqueueRowsAsync(1, 3);
        for (var row = 1; row <= 3; row++)
        {
            foreach (var master in redis.Masters())
                await master.ExecuteAsync("SCRIPT", "FLUSH");
            Assert.Equal(SettleOutcome.Settled, await queue.CompleteAsync(await queue.ClaimOneAsync()));
        }
    }

    [Fact]
    public void A_script_that_is_not_there_is_named()
    {
        var thrown = Assert.Throws<ArgumentException>(() => RedisScript.Load(typeof(PromptQueue).Assembly, "no-such"));
        Assert.Contains("no-such.lua", thrown.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(typeof(PromptQueue))]
    [InlineData(typeof(ResultStore))]
    [InlineData(typeof(Gateway))]
    public void Every_script_is_short_and_says_its_keys_arguments_and_answer(Type room)
    {
        var names = room.Assembly.GetManifestResourceNames().Where(n => n.EndsWith(".lua", StringComparison.Ordinal)).ToList();
        Assert.NotEmpty(names);
        foreach (var name in names)
        {
            using var reader = new StreamReader(room.Assembly.GetManifestResourceStream(name)!);
            var text = reader.ReadToEnd();
            foreach (var part in (string[])["-- KEYS 1 ", "-- Returns "])
                Assert.True(text.Contains(part, StringComparison.Ordinal), $"{name} has no '{part}'");
            Assert.True(text.Contains("dempotent", StringComparison.Ordinal), $"{name} does not say why it is safe to repeat");
            var code = text.Split('\n').Count(l => l.Trim().Length > 0 && !l.TrimStart().StartsWith("--", StringComparison.Ordinal));
            Assert.True(code <= 50, $"{name} has {code} lines of code");
        }
    }
}
