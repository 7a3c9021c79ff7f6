using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace LlmPipeline;

public sealed class RegisteringTheQueue
{
    [Fact]
    public async Task A_program_gets_a_queue_and_its_results_with_its_own_options()
    {
        var redis = await Stores.ConnectAsync(Store.RedisServer);
        var address = (await RedisServer.SharedAsync()).Address;
        var prefix = Stores.NewName("app") + ":";
        await using var services = new ServiceCollection()
            .AddPromptQueue(address, o => o.KeyPrefix = prefix)
            .AddResultStore(address, o => o.KeyPrefix = prefix)
            .BuildServiceProvider();
        var queue = services.GetRequiredService<PromptQueue>();
        Assert.Equal([EnqueueOutcome.Added], await queue.EnqueueAsync([new Job { Id = "a", Queue = "m", Work = new RequestWork { Path = "/v1/x", Body = "{}"u8.ToArray() } }]));
        Assert.Equal(["m"], await queue.QueuesAsync());
        await services.GetRequiredService<ResultStore>().PutAsync(new JobResult { JobId = "a", Status = ResultStatus.Failed, Meta = new ResultMeta() });
        Assert.True(await redis.Database.KeyExistsAsync(prefix + "result:a"));
    }

    [Fact]
    public void Options_out_of_range_are_refused_by_name()
    {
        Action<PromptQueueOptions>[] wrong =
        [
            o => o.KeyPrefix = "a{b}", o => o.Partitions = 0, o => o.Partitions = 1025, o => o.Lease = TimeSpan.Zero, o => o.WorkerTimeout = TimeSpan.FromDays(2),
            o => o.MaxJobBytes = 0, o => o.BatchTtl = TimeSpan.Zero, o => o.MaxDead = 0, o => o.MaxWaiting = 0,
        ];
        foreach (var configure in wrong)
        {
            using var services = new ServiceCollection().AddPromptQueue("localhost", configure).BuildServiceProvider();
            Assert.Throws<OptionsValidationException>(() => services.GetRequiredService<IOptions<PromptQueueOptions>>().Value);
        }

        Assert.Throws<FormatException>(() => new ServiceCollection().AddPromptQueue("localhost:no-port"));

        using var results = new ServiceCollection().AddResultStore("localhost", o => o.Ttl = TimeSpan.Zero).BuildServiceProvider();
        Assert.Throws<OptionsValidationException>(() => results.GetRequiredService<IOptions<ResultStoreOptions>>().Value);
    }
}
