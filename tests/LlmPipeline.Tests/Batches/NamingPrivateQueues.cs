namespace LlmPipeline.Tests;

/// <summary><see cref="PrivateQueue"/> and <see cref="SchemaVersion"/>: what keeps the rows of a run from all workers.</summary>
public sealed class NamingPrivateQueues
{
    [Fact]
    public void A_private_queue_is_named_by_its_batch_and_has_a_version_of_its_own()
    {
        var name = PrivateQueue.Name("b-1", "gpt-4o");

        Assert.StartsWith("run:b-1:", name);
        Assert.Equal("b-1", PrivateQueue.BatchOf(name));
        Assert.Equal(("2", "1"), (SchemaVersion.Of(name).Text, SchemaVersion.Of("gpt-4o").Text));
        Assert.NotEqual(name, PrivateQueue.Name("b-1", "gpt-4o-mini"));
        Assert.Null(Names.Fault(PrivateQueue.Name(new string('b', 200), new string('m', 256))));
    }

    [Theory]
    [InlineData("gpt-4o")]
    [InlineData("run:latest")]
    [InlineData("run:7b:instruct")]
    [InlineData("run::0123456789abcdef")]
    [InlineData("run:b:0123456789ABCDEF")]
    [InlineData("xrun:b:0123456789abcdef")]
    public void A_models_name_is_none(string model)
    {
        Assert.False(PrivateQueue.Is(model));
        Assert.Null(Names.ModelFault(model));
    }

    [Fact]
    public void A_model_cannot_be_called_like_one() => Assert.NotNull(Names.ModelFault(PrivateQueue.Name("b-1", "m")));

    [Fact]
    public async Task A_job_comes_back_with_its_model_and_a_reader_of_shared_queues_refuses_it()
    {
        var queue = await TestQueue.CreateAsync(Store.RedisServer);
        var own = PrivateQueue.Name(queue.Batch, "gpt-4o");
        var job = queue.Row(1) with { Queue = own, Model = "gpt-4o" };
        await queue.Queue.EnqueueAsync([job]);
        var partition = Assert.Single(await queue.Queue.PartitionsAsync(own));

        var claimed = Assert.Single((await partition.ClaimAsync(10, "token", "worker")).Jobs);

        Assert.Equal(("gpt-4o", own), (claimed.Job.Model, claimed.Job.Queue));
        var bytes = Envelope.Encode(job);
        Assert.Equal((byte)'2', bytes[1]);
        Assert.Throws<FormatException>(() => Envelope.Decode("gpt-4o", job.Id, bytes));
        Assert.Equal("2", (string?)await queue.Database.HashGetAsync(partition.Keys.Meta, "version"));
        Assert.DoesNotContain(own, await queue.Queue.QueuesAsync());
        Assert.Contains(own, await queue.Queue.Private.ListAsync());
    }

    [Fact]
    public async Task Nobody_enqueues_into_the_queue_of_another_batch_or_model()
    {
        var queue = await TestQueue.CreateAsync(Store.RedisServer);
        var own = PrivateQueue.Name(queue.Batch, "gpt-4o");
        foreach (var wrong in (Job[])[
            queue.Row(1) with { Queue = own },
            queue.Row(1) with { Queue = own, Model = "gpt-5" },
            queue.Row(1) with { Queue = own, Model = "gpt-4o", Batch = "another" },
            queue.Single("j") with { Queue = own, Model = "gpt-4o" },
            queue.Single("j") with { Model = "another than the queue" },
        ])
            await Assert.ThrowsAsync<ArgumentException>(() => queue.Queue.EnqueueAsync([wrong]));
    }

    [Fact]
    public async Task A_private_queue_that_retires_leaves_the_counts_of_its_batch()
    {
        var queue = await TestQueue.CreateAsync(Store.RedisServer);
        var own = PrivateQueue.Name(queue.Batch, "m");
        await queue.Queue.EnqueueAsync([.. Enumerable.Range(1, 3).Select(row => queue.Row(row) with { Queue = own, Model = "m" })]);
        var partition = (await queue.Queue.PartitionsAsync(own))[0];
        await queue.Queue.Batches.SaveAsync(new BatchInfo { Id = queue.Batch, Rows = 3, Queues = [own], Models = ["m"] });
        foreach (var job in (await partition.ClaimAsync(2, "token", "worker")).Jobs)
            await partition.CompleteAsync([(job, EndState.Completed)]);

        await queue.Queue.Private.RetireAsync(own);

        Assert.DoesNotContain(own, await queue.Queue.Private.ListAsync());
        Assert.Equal(0, await queue.Database.KeyExistsAsync(partition.Keys.All));
        Assert.Equal((3, 2), (await queue.Queue.Batches.ProgressAsync(queue.Batch) is var progress ? (progress.Expected, progress.Completed) : default));
        await Assert.ThrowsAsync<ArgumentException>(() => queue.Queue.Private.RetireAsync(queue.Name));
    }

    [Fact]
    public async Task What_no_run_has_continued_for_as_long_as_a_batch_is_kept_is_removed_unless_its_run_is_live()
    {
        await using var server = await RedisServer.StartAsync();
        await using var redis = await Stores.ConnectAsync(server.Address);
        var queue = new PromptQueue(redis, new PromptQueueOptions(), TimeProvider.System);
        var old = TimeProvider.System.GetUtcNow().AddDays(-31).ToUnixTimeMilliseconds();
        string[] names = [.. new[] { "gone", "live", "new" }.Select(batch => PrivateQueue.Name(batch, "m"))];
        foreach (var name in names)
        {
            await queue.EnqueueAsync([new Job { Id = RowId.Of(PrivateQueue.BatchOf(name)!, 1), Batch = PrivateQueue.BatchOf(name), Row = 1, Queue = name, Model = "m", Work = new RequestWork { Path = "/v1/chat/completions", Body = "{}"u8.ToArray() } }]);
            if (!name.Contains("new"))
                await redis.Database.SortedSetAddAsync(QueueKeys.PrivateQueues(""), name, old);
        }

        Assert.Null(await queue.Private.LockAsync("live", "run", TimeSpan.FromMinutes(1)));
        await queue.Private.RetireExpiredAsync();

        Assert.Equal(names[1..], await queue.Private.ListAsync());
        Assert.Equal(0, await redis.Database.KeyExistsAsync(new QueueKeys("", names[0], 0).All));
    }
}
