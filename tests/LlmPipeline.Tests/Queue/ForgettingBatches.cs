using LlmPipeline.Tests;
using Microsoft.Extensions.Logging.Abstractions;
using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>Covers <see cref="BatchForgetter"/>, and how long things are kept.</summary>
public sealed class ForgettingBatches
{
    [Theory, ClassData(typeof(Stores))]
    public async Task Nothing_is_left_of_a_batch_that_was_forgotten(Store store)
    {
        var queue = await CreateAsync(store);
        var results = ResultsOf(queue);
        await queue.EnqueueRowsAsync(1, 4);
        await queue.EnqueueAsync(queue.Single("another"));
        var own = PrivateQueue.Name(queue.Batch, "other");
        await queue.EnqueueAsync(queue.Row(5) with { Queue = own, Model = "other" });
        await queue.Queue.Batches.SaveAsync(new BatchInfo { Id = queue.Batch, Rows = 5, Queues = [queue.Name, own], Created = TimeProvider.System.GetUtcNow() });
        foreach (var job in await queue.ClaimAsync())
        {
            await results.PutAsync(Result(job.Job.Id));
            _ = job.Job.Row % 2 == 1 ? await queue.BuryAsync(job) : await queue.CompleteAsync(job);
        }

        var forgetter = new BatchForgetter(queue.Queue, results);
        var batch = (await queue.Queue.Batches.FindAsync(queue.Batch))!;
        Assert.False(await forgetter.ForgetAsync(batch));
        Assert.NotNull(await results.GetAsync(queue.Row(1).Id));
        var alone = (await queue.Queue.PartitionsAsync(own))[0];
        await alone.BuryAsync((await alone.ClaimAsync(1, queue.NewToken(), TestQueue.Worker)).Jobs);

        Assert.True(await forgetter.ForgetAsync(batch));

        Assert.Null(await queue.Queue.Batches.FindAsync(queue.Batch));
        Assert.Empty(await queue.Queue.Batches.ListAsync());
        Assert.Empty(await queue.Queue.Private.ListAsync());
        Assert.Equal(new QueueStats(0, 0, 0, 0), await queue.StatsAsync());
        Assert.Equal([null, null, null, null], await results.GetAsync([.. Enumerable.Range(1, 4).Select(row => queue.Row(row).Id)]));
        Assert.NotNull(await results.GetAsync("another"));
        foreach (var key in new[] { queue.Keys, alone.Keys }.SelectMany(keys => new[] { keys.Batch(queue.Batch), keys.Ended(queue.Batch), keys.Finished(queue.Batch) }).Append(alone.Keys.Meta))
            Assert.False(await queue.Database.KeyExistsAsync(key), key);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task A_job_is_forgotten_with_its_dead_letter_once_it_has_ended(Store store)
    {
        var queue = await CreateAsync(store);
        var results = ResultsOf(queue);
        var forgetter = new BatchForgetter(queue.Queue, results);
        await queue.EnqueueAsync(queue.Single("one"));
        Assert.False(await forgetter.ForgetAsync("one", [queue.Name]));
        var job = await queue.ClaimOneAsync();
        Assert.False(await forgetter.ForgetAsync("one", [queue.Name]));
        await results.PutAsync(Result("one"));
        await queue.BuryAsync(job);
        Assert.True(await forgetter.ForgetAsync("one", [queue.Name]));
        Assert.Null(await results.GetAsync("one"));
        Assert.Null(await queue.Queue.FindAsync(queue.Name, "one"));
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task Results_are_kept_as_long_as_each_says(Store store)
    {
        var queue = await CreateAsync(store);
        var results = ResultsOf(queue);
        await results.StoreAsync([Result("a"), Result("b") with { Life = TimeSpan.FromMinutes(10) }, Result("c")]);
        var lives = await Task.WhenAll(new[] { "a", "b", "c" }.Select(id => queue.Database.KeyTimeToLiveAsync(results.KeyStart + id)));
        Assert.Equal([30 * 24 * 6, 1, 30 * 24 * 6], lives.Select(life => (int)Math.Ceiling(life!.Value.TotalMinutes / 10)));
    }

    [Fact]
    public async Task A_job_says_how_long_its_result_is_kept()
    {
        var queue = await CreateAsync(Store.RedisServer);
        var results = ResultsOf(queue);
        await using var worker = new WorkerProcess(
            queue.Redis, queue.Queue, results, new ScriptedCaller((_, _) => Task.CompletedTask), new WorkerOptions(), TimeProvider.System, NullLoggerFactory.Instance);
        await worker.StartAsync([queue.Name]);
        await queue.EnqueueAsync(queue.Single("call") with { ResultLife = TimeSpan.FromMinutes(10) });
        await results.WaitAsync("call").WaitAsync(TimeSpan.FromSeconds(60));
        Assert.InRange((await queue.Database.KeyTimeToLiveAsync(results.KeyStart + "call"))!.Value, TimeSpan.FromMinutes(8), TimeSpan.FromMinutes(10));
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task The_files_of_a_prompt_function_end_some_time_after_their_last_use(Store store)
    {
        var queue = await CreateAsync(store);
        var key = QueueKeys.Prompt(queue.Options.KeyPrefix, "sha");
        await queue.Queue.SavePromptAsync("sha", "name", new Dictionary<string, ReadOnlyMemory<byte>> { ["a"] = "b"u8.ToArray() });
        Assert.InRange((await queue.Database.KeyTimeToLiveAsync(key))!.Value, TimeSpan.FromDays(29), TimeSpan.FromDays(30));
        // Those of an earlier version have no end.
        await queue.Database.KeyPersistAsync(key);
        Assert.NotNull(await queue.Queue.LoadPromptAsync("sha"));
        Assert.InRange((await queue.Database.KeyTimeToLiveAsync(key))!.Value, TimeSpan.FromDays(29), TimeSpan.FromDays(30));
    }

    [Fact]
    public async Task Records_of_the_gateways_batches_are_removed_some_time_after_their_end()
    {
        var redis = await Stores.ConnectAsync(Store.RedisServer);
        var prefix = Stores.NewName("app") + ":";
        var (records, keys) = (new BatchRecords(redis, prefix), new GatewayKeys(prefix, "owner"));
        var now = DateTimeOffset.FromUnixTimeSeconds(1_800_000_000);
        var old = await WriteAsync("completed", now - TimeSpan.FromDays(40), now - TimeSpan.FromDays(31));
        var late = await WriteAsync("failed", now - TimeSpan.FromDays(40), now - TimeSpan.FromDays(29));
        var open = await WriteAsync("in_progress", now - TimeSpan.FromDays(40), null);
        var young = await WriteAsync("completed", now - TimeSpan.FromDays(2), now - TimeSpan.FromDays(1));

        Assert.Equal(1, await records.ExpireAsync("owner", now - TimeSpan.FromDays(30)));

        Assert.Null(await records.FindAsync("owner", old));
        foreach (var kept in (string[])[late, open, young])
            Assert.NotNull(await records.FindAsync("owner", kept));
        Assert.Equal(3, await redis.Database.SortedSetLengthAsync(keys.Batches));

        async Task<string> WriteAsync(string status, DateTimeOffset created, DateTimeOffset? ended)
        {
            var id = BatchRecords.NewId();
            await redis.Database.HashSetAsync(
                keys.Batch(id), [new("status", status), new("created_at", created.ToUnixTimeSeconds()), .. ended is { } at ? new HashEntry[] { new($"{status}_at", at.ToUnixTimeSeconds()) } : []]);
            await redis.Database.SortedSetAddAsync(keys.Batches, id, created.ToUnixTimeMilliseconds() * 1000.0);
            return id;
        }
    }

    [Fact]
    public void The_settings_say_how_long_things_are_kept_and_what_goes_before_keys()
    {
        using var llmpipe = new Llmpipe();
        llmpipe.Write("kept.json", """{"KeyPrefix":"app:","Retention":{"Results":"7.00:00:00","Batches":"14.00:00:00","Prompts":3600}}""");
        var settings = Settings.Load(llmpipe.PathOf("kept.json"));
        var (queue, results) = (settings.Queue(), settings.Results());
        Assert.Equal(("app:", "app:"), (queue.KeyPrefix, results.KeyPrefix));
        Assert.Equal([7 * 24, 14 * 24, 14 * 24, 1], new[] { results.Ttl, queue.BatchTtl, queue.MaxDeadAge, queue.PromptTtl }.Select(life => life.TotalHours));
        Assert.Equal(("", TimeSpan.FromDays(30)), (settings.Queue(shared: false).KeyPrefix, settings.Results(shared: false).Ttl));
        llmpipe.Write("short.json", """{"Retention":{"Batches":"00:00:30"}}""");
        Assert.Contains("Retention:Batches", Assert.Throws<CliException>(() => Settings.Load(llmpipe.PathOf("short.json"))).Message, StringComparison.Ordinal);
    }

    private static JobResult Result(string id) => new() { JobId = id, Status = ResultStatus.Completed, Response = TestQueue.Body(id), Meta = new ResultMeta() };

    private static ResultStore ResultsOf(TestQueue queue) => new(queue.Redis, new ResultStoreOptions { KeyPrefix = queue.Options.KeyPrefix }, TimeProvider.System);

    private static Task<TestQueue> CreateAsync(Store store) => TestQueue.CreateAsync(store, options => options.KeyPrefix = Stores.NewName("app") + ":");
}
