using System.Globalization;
using Microsoft.Extensions.Logging.Abstractions;
using StackExchange.Redis;

namespace LlmPipeline.Tests;

/// <summary>What becomes of queues without jobs: <see cref="QueueRegistry"/>, and the workers that retire them.</summary>
public sealed class RetiringQueues
{
    [Theory, ClassData(typeof(Stores))]
    public async Task A_queue_without_jobs_is_retired_and_the_next_job_brings_it_back(Store store)
    {
        var queue = await CreateAsync(store, partitions: 3);
        await queue.EnqueueRowsAsync(1, 5);
        await queue.EndAllAsync(EndState.Completed);
        Assert.True(await RetireAsync(queue));
        Assert.Empty(await queue.Queue.QueuesAsync());
        Assert.Equal([queue.Name], await queue.Queue.RetiredQueuesAsync());
        // The same producer, which has created the queue before, and another one.
        Assert.All(await queue.EnqueueRowsAsync(6, 10), outcome => Assert.Equal(EnqueueOutcome.Added, outcome));
        Assert.Equal([queue.Name], await queue.Queue.QueuesAsync());
        Assert.Empty(await queue.Queue.RetiredQueuesAsync());
        await queue.EndAllAsync(EndState.Completed);
        Assert.True(await RetireAsync(queue));
        await new PromptQueue(queue.Redis, queue.Options, TimeProvider.System).EnqueueAsync([queue.Row(11)]);
        Assert.Equal([queue.Name], await queue.Queue.QueuesAsync());
        Assert.Equal(1, (await queue.StatsAsync()).Waiting);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task A_queue_with_a_job_anywhere_is_not_retired_and_one_with_dead_letters_is(Store store)
    {
        var queue = await CreateAsync(store);
        await queue.EnqueueAsync(queue.Row(1));
        Assert.False(await RetireAsync(queue));
        var job = await queue.ClaimOneAsync();
        Assert.False(await RetireAsync(queue));
        await queue.RetryAsync(job, 1, TimeSpan.FromHours(1));
        Assert.False(await RetireAsync(queue));
        await queue.MakeDueAsync(job.Job.Id);
        await queue.BuryAsync(await queue.ClaimOneAsync());
        Assert.False(await queue.Queue.Registry.RetireAsync(queue.Name, queue.Partitions, TimeSpan.FromHours(1)));
        await queue.Queue.PauseAsync(queue.Name);
        Assert.False(await RetireAsync(queue));
        await queue.Queue.ResumeAsync(queue.Name);
        Assert.Equal([queue.Name], await queue.Queue.QueuesAsync());
        Assert.True(await RetireAsync(queue));
        Assert.Equal(1, (await queue.StatsAsync()).Dead);
        Assert.Equal(1, await queue.Queue.RedriveDeadAsync(queue.Name, null));
        Assert.Equal([queue.Name], await queue.Queue.QueuesAsync());
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task A_job_that_comes_while_its_queue_is_retired_is_never_left_in_a_retired_queue(Store store)
    {
        const int Rounds = 150;
        var queue = await CreateAsync(store, partitions: 3);
        var others = Enumerable.Range(0, 2).Select(_ => new PromptQueue(queue.Redis, queue.Options, TimeProvider.System)).ToList();
        var retired = 0;
        for (var round = 1; round <= Rounds; round++)
        {
            var row = round;
            var retiring = RetireAsync(queue);
            var second = RetireAsync(queue);
            await others[round % 2].EnqueueAsync([queue.Row(row)]);
            retired += await retiring | await second ? 1 : 0;
            Assert.Equal([queue.Name], await queue.Queue.QueuesAsync());
            Assert.Equal(1, (await queue.StatsAsync()).Waiting);
            await queue.EndAllAsync(EndState.Completed);
        }

        Assert.InRange(retired, 1, Rounds);
    }

    [Fact]
    public async Task A_worker_has_nothing_to_do_for_queues_without_jobs()
    {
        const int Left = 300;
        await using var server = await RedisServer.StartAsync();
        await using var redis = await Stores.ConnectAsync(server.Address + ",allowAdmin=true");
        var queue = await TestQueue.CreateAsync(redis);
        await using var worker = Worker(queue, (_, _) => Task.CompletedTask);
        worker.ServeAll();
        await queue.Queue.EnqueueAsync([.. Enumerable.Range(1, Left).Select(n => queue.Single($"job-{n}") with { Queue = $"model-{n}" })]);
        await Eventually.HoldsAsync(async () => (await queue.Queue.QueuesAsync()).Count == 0, "all queues are retired", TimeSpan.FromSeconds(60));
        await Eventually.HoldsAsync(async () => !(await ChannelsAsync(redis)).Any(channel => channel.Contains(":wake", StringComparison.Ordinal)), "no queue is listened to");
        var (commands, since) = (await CommandsAsync(redis), await NowAsync(redis));
        await redis.Database.ExecuteAsync("CONFIG", "RESETSTAT");
        await Eventually.HoldsAsync(async () => await CommandsAsync(redis, "eval") + await CommandsAsync(redis, "evalsha") > 20, "retired queues are checked", TimeSpan.FromSeconds(60));
        // What these loops ask themselves is not counted as the worker's.
        var asked = await CommandsAsync(redis) - await CommandsAsync(redis, "info") - await CommandsAsync(redis, "time");
        Assert.InRange(asked / (await NowAsync(redis) - since).TotalSeconds, 0, 150);
        Assert.True(commands > Left);
        await queue.Queue.EnqueueAsync([queue.Single("again") with { Queue = "model-7" }]);
        await Eventually.HoldsAsync(async () => await ResultsOf(queue).GetAsync("again") is not null, "the queue is served again");
    }

    [Fact]
    public async Task A_worker_does_not_serve_what_was_left_without_jobs_before_it_started()
    {
        var queue = await CreateAsync(Store.RedisServer);
        await queue.EnqueueRowsAsync(1, 2);
        await queue.EndAllAsync(EndState.Completed);
        // Long ago.
        await queue.LoseWorkerAsync();
        await using var worker = Worker(queue, (_, _) => Task.CompletedTask, TimeSpan.FromMinutes(1));
        worker.ServeAll();
        await Eventually.HoldsAsync(async () => (await queue.Queue.QueuesAsync()).Count == 0, "it is retired");
        await queue.EnqueueRowsAsync(3, 3);
        await Eventually.HoldsAsync(async () => (await queue.ProgressAsync()).Completed == 3, "it is served again");
    }

    [Fact]
    public async Task A_job_that_an_earlier_version_adds_to_a_retired_queue_is_found()
    {
        var queue = await CreateAsync(Store.RedisServer);
        await queue.EnqueueRowsAsync(1, 1);
        await queue.EndAllAsync(EndState.Completed);
        await queue.EnqueueRowsAsync(2, 2);
        var envelope = await queue.Database.HashGetAsync(queue.Keys.Jobs, queue.Row(2).Id);
        await queue.EndAllAsync(EndState.Completed);
        Assert.True(await RetireAsync(queue));
        await using var worker = Worker(queue, (_, _) => Task.CompletedTask, TimeSpan.FromMinutes(1));
        worker.ServeAll();
        await queue.Database.HashSetAsync(queue.Keys.Jobs, "old", envelope);
        await queue.Database.ListRightPushAsync(queue.Keys.Waiting[1], "old");
        await Eventually.HoldsAsync(async () => await ResultsOf(queue).GetAsync("old") is not null, "it is run");
        Assert.Equal([queue.Name], await queue.Queue.QueuesAsync());
    }

    [Fact]
    public async Task A_retired_queue_is_removed_when_its_batches_are_and_the_next_job_creates_it_again()
    {
        var queue = await CreateAsync(Store.RedisServer, partitions: 2);
        await queue.EnqueueRowsAsync(1, 4);
        await queue.EndAllAsync(EndState.Completed);
        Assert.True(await RetireAsync(queue));
        var past = (TimeProvider.System.GetUtcNow() - queue.Options.BatchTtl - TimeSpan.FromMinutes(1)).ToUnixTimeMilliseconds();
        await queue.Database.SortedSetAddAsync(QueueKeys.RetiredQueues(queue.Options.KeyPrefix), queue.Name, past);
        await using (var worker = Worker(queue, (_, _) => Task.CompletedTask))
        {
            worker.ServeAll();
            await Eventually.HoldsAsync(async () => (await queue.Queue.RetiredQueuesAsync()).Count == 0, "it is removed");
        }

        Assert.Equal(0, await queue.Database.KeyExistsAsync([.. queue.Partitions.SelectMany(partition => partition.Keys.All)]));
        // By a producer that had created it before.
        await queue.EnqueueRowsAsync(5, 8);
        Assert.Equal([queue.Name], await queue.Queue.QueuesAsync());
        Assert.Equal(4, (await queue.StatsAsync()).Waiting);
    }

    [Fact]
    public async Task A_queue_beyond_the_limit_is_refused_and_those_that_exist_and_private_ones_are_not()
    {
        var queue = await CreateAsync(Store.RedisServer, most: 2);
        await queue.EnqueueRowsAsync(1, 1);
        await queue.EndAllAsync(EndState.Completed);
        Assert.True(await RetireAsync(queue));
        await queue.EnqueueAsync(queue.Single("b") with { Queue = "second" });
        var refusal = await Assert.ThrowsAsync<QueueLimitException>(() => queue.EnqueueAsync(queue.Single("c") with { Queue = "third" }));
        Assert.Equal(("third", 2), (refusal.Queue, refusal.MaxQueues));
        Assert.Equal(["second"], await queue.Queue.QueuesAsync());
        await queue.EnqueueRowsAsync(2, 2);
        var own = PrivateQueue.Name(queue.Batch, "fourth");
        await queue.EnqueueAsync(queue.Row(3) with { Queue = own, Model = "fourth" });
        Assert.Equal(1, (await queue.Queue.StatsAsync(own)).Waiting);
    }

    [Fact]
    public async Task The_doctor_finds_jobs_in_a_retired_queue()
    {
        var queue = await CreateAsync(Store.RedisServer);
        await queue.EnqueueRowsAsync(1, 2);
        var doctor = new QueueDoctor(queue.Redis, queue.Options, TimeProvider.System);
        Assert.Empty((await doctor.ExamineAsync(queue.Name, repair: false)).Findings);
        await queue.Database.SetRemoveAsync(QueueKeys.Queues(queue.Options.KeyPrefix), queue.Name);
        Assert.Equal("has 2 jobs and is retired: no worker serves it", Assert.Single((await doctor.ExamineAsync(queue.Name, repair: false)).Findings).What);
        Assert.True(Assert.Single((await doctor.ExamineAsync(queue.Name, repair: true)).Findings).Repaired);
        Assert.Equal([queue.Name], await queue.Queue.QueuesAsync());
    }

    private static Task<TestQueue> CreateAsync(Store store, int partitions = 1, int? most = null) => TestQueue.CreateAsync(store, options =>
    {
        options.KeyPrefix = Stores.NewName("app") + ":";
        options.Partitions = partitions;
        options.MaxQueues = most;
    });

    private static Task<bool> RetireAsync(TestQueue queue) => queue.Queue.Registry.RetireAsync(queue.Name, queue.Partitions, TimeSpan.Zero);

    private static ResultStore ResultsOf(TestQueue queue) =>
        new(queue.Redis, new ResultStoreOptions { KeyPrefix = queue.Options.KeyPrefix }, TimeProvider.System);

    private static WorkerProcess Worker(TestQueue queue, Func<Job, CancellationToken, Task> call, TimeSpan? idle = null) => new(
        queue.Redis, queue.Queue, ResultsOf(queue), new ScriptedCaller(call),
        new WorkerOptions { Concurrency = 8, QueueIdleTimeout = idle ?? TimeSpan.FromSeconds(0.05) }, TimeProvider.System, NullLoggerFactory.Instance);

    private static async Task<IReadOnlyList<string>> ChannelsAsync(RedisConnections redis) =>
        [.. ((RedisResult[])(await redis.Database.ExecuteAsync("PUBSUB", "CHANNELS"))!).Select(channel => (string)channel!)];

    private static async Task<DateTimeOffset> NowAsync(RedisConnections redis) =>
        DateTimeOffset.FromUnixTimeMilliseconds((long)(double.Parse((string)((RedisResult[])(await redis.Database.ExecuteAsync("TIME"))!)[0]!, CultureInfo.InvariantCulture) * 1000));

    /// <summary>Commands that the server has run, those of scripts included; of one kind, or of all.</summary>
    private static async Task<long> CommandsAsync(RedisConnections redis, string? name = null)
    {
        var info = ((string)(await redis.Database.ExecuteAsync("INFO", name is null ? "stats" : "commandstats"))!).Split("\r\n");
        var start = name is null ? "total_commands_processed:" : $"cmdstat_{name}:calls=";
        return info.FirstOrDefault(line => line.StartsWith(start, StringComparison.Ordinal)) is { } line
            ? long.Parse(line[start.Length..].Split(',')[0], CultureInfo.InvariantCulture)
            : 0;
    }
}
