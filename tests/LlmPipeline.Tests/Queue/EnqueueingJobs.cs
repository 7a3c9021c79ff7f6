using System.Text;

namespace LlmPipeline;

public sealed class EnqueueingJobs
{
    [Theory, ClassData(typeof(Stores))]
    public async Task A_job_waits_once_however_often_it_is_enqueued(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        Assert.Equal([EnqueueOutcome.Added, EnqueueOutcome.Added], await queue.EnqueueAsync(queue.Row(1), queue.Row(2)));
        Assert.Equal([EnqueueOutcome.AlreadyThere, EnqueueOutcome.Added, EnqueueOutcome.AlreadyThere], await queue.EnqueueAsync(queue.Row(1), queue.Row(3), queue.Row(3)));
        Assert.Equal(new QueueStats(3, 0, 0, 0), await queue.StatsAsync());
        Assert.Equal(new BatchProgress(3, 0, 0, 0), await queue.ProgressAsync());
        await OnePlace.AssertAsync(queue);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task A_job_that_runs_or_is_delayed_is_already_there(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueAsync(queue.Row(1), queue.Row(2) with { Delay = TimeSpan.FromHours(1) }, queue.Single("single"));
        Assert.Equal(2, (await queue.ClaimAsync()).Count);
        Assert.All(await queue.EnqueueAsync(queue.Row(1), queue.Row(2), queue.Single("single")), o => Assert.Equal(EnqueueOutcome.AlreadyThere, o));
        Assert.Equal(new QueueStats(0, 1, 2, 0), await queue.StatsAsync());
        await OnePlace.AssertAsync(queue);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task A_row_that_has_ended_is_not_run_again_whatever_its_end(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueRowsAsync(1, 4);
        var jobs = await queue.ClaimAsync();
        await queue.CompleteAsync(jobs[0]);
        await queue.CompleteAsync(jobs[1], EndState.Expired);
        await queue.CompleteAsync(jobs[2], EndState.Cancelled);
        await queue.BuryAsync(jobs[3]);
        Assert.All(await queue.EnqueueRowsAsync(1, 4), o => Assert.Equal(EnqueueOutcome.Ended, o));
        Assert.Equal(new BatchProgress(4, 1, 2, 1), await queue.ProgressAsync());
        Assert.Equal(new QueueStats(0, 0, 0, 1), await queue.StatsAsync());
        await OnePlace.AssertAsync(queue);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task A_single_job_that_is_dead_has_ended(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueAsync(queue.Single("single"));
        await queue.BuryAsync(await queue.ClaimOneAsync());
        Assert.Equal([EnqueueOutcome.Ended], await queue.EnqueueAsync(queue.Single("single")));
        await OnePlace.AssertAsync(queue);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task A_rerun_takes_the_row_out_of_the_counts_and_runs_it(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueRowsAsync(1, 3);
        var jobs = await queue.ClaimAsync();
        await queue.CompleteAsync(jobs[0]);
        await queue.CompleteAsync(jobs[1], EndState.Cancelled);
        await queue.BuryAsync(jobs[2]);
        var outcomes = await queue.Queue.EnqueueAsync([queue.Row(1), queue.Row(2), queue.Row(3)], rerunEnded: true);
        Assert.Equal([EnqueueOutcome.Added, EnqueueOutcome.Added, EnqueueOutcome.Ended], outcomes);
        Assert.Equal(new BatchProgress(3, 0, 1, 0), await queue.ProgressAsync());
        foreach (var job in await queue.ClaimAsync())
            await queue.CompleteAsync(job);
        Assert.Equal(new BatchProgress(3, 2, 1, 0), await queue.ProgressAsync());
        await OnePlace.AssertAsync(queue);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task More_jobs_than_one_call_takes_all_wait_in_their_order(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        Assert.All(await queue.EnqueueRowsAsync(1, 1203), o => Assert.Equal(EnqueueOutcome.Added, o));
        var rows = new List<int>();
        while (await queue.ClaimAsync() is { Count: > 0 } jobs)
            rows.AddRange(jobs.Select(j => j.Job.Row));
        Assert.Equal(Enumerable.Range(1, 1203), rows);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task Rows_in_any_order_are_counted_right_while_the_bitmap_grows(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        int[] rows = [5, 1023, 1024, 1, 200_000, 2047, 4096, 70_001, 1_000_000];
        foreach (var row in rows)
        {
            Assert.Equal([EnqueueOutcome.Added], await queue.EnqueueAsync(queue.Row(row)));
            Assert.True(await queue.Database.StringLengthAsync(queue.Keys.Ended(queue.Batch)) > row / 4);
            await queue.CompleteAsync(await queue.ClaimOneAsync());
        }

        Assert.Equal(262_144, await queue.Database.StringLengthAsync(queue.Keys.Ended(queue.Batch)));
        Assert.Equal(new BatchProgress(9, 9, 0, 0), await queue.ProgressAsync());
        Assert.All(await queue.EnqueueAsync([.. rows.Select(r => queue.Row(r))]), o => Assert.Equal(EnqueueOutcome.Ended, o));
        Assert.All(await queue.EnqueueAsync([.. rows.Take(8).Select(r => queue.Row(r + 1)).Where(j => !rows.Contains(j.Row))]), o => Assert.Equal(EnqueueOutcome.Added, o));
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task A_delayed_job_waits_for_its_time(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueAsync(queue.Row(1) with { Delay = TimeSpan.FromMinutes(5) });
        var claim = await queue.ClaimAllAsync();
        Assert.Empty(claim.Jobs);
        Assert.InRange(claim.NextDue!.Value, TimeSpan.FromMinutes(4), TimeSpan.FromMinutes(5));
        await OnePlace.AssertAsync(queue);
        await queue.MakeDueAsync(queue.Row(1).Id);
        Assert.Equal(1, (await queue.ClaimOneAsync()).Job.Row);
        await OnePlace.AssertAsync(queue);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task Jobs_are_spread_over_the_partitions_and_counted_together(Store store)
    {
        var queue = await TestQueue.CreateAsync(store, o => o.Partitions = 4);
        await queue.EnqueueRowsAsync(1, 200);
        Assert.Equal(new QueueStats(200, 0, 0, 0), await queue.StatsAsync());
        foreach (var partition in queue.Partitions)
        {
            var claim = await partition.ClaimAsync(500, "token", TestQueue.Worker);
            Assert.InRange(claim.Jobs.Count, 20, 80);
            Assert.All(await partition.CompleteAsync([.. claim.Jobs.Select(j => (j, EndState.Completed))]), o => Assert.Equal(SettleOutcome.Settled, o));
        }

        Assert.Equal(new BatchProgress(200, 200, 0, 0), await queue.ProgressAsync());
        await OnePlace.AssertAsync(queue);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task Another_number_of_partitions_is_refused_whichever_partition_came_first(Store store)
    {
        for (var id = 0; id < 4; id++)
        {
            var queue = await TestQueue.CreateAsync(store, o => o.Partitions = 4);
            await queue.EnqueueAsync(queue.Single($"job-{id}"));
            var other = new PromptQueue(queue.Redis, new PromptQueueOptions { Partitions = 2 }, TimeProvider.System);
            Assert.Equal(4, (await other.PartitionsAsync(queue.Name)).Count);
            var refused = await Assert.ThrowsAsync<QueueMismatchException>(() => other.EnqueueAsync([queue.Single("another")]));
            Assert.Equal("4", refused.FoundPartitions);
            Assert.Contains("or set it to 4", refused.Message, StringComparison.Ordinal);
            Assert.Equal(1, (await queue.StatsAsync()).Waiting);
        }
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task Another_schema_version_is_refused_by_every_verb(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueAsync(queue.Row(1));
        var job = await queue.ClaimOneAsync();
        await queue.Database.HashSetAsync(queue.Keys.Meta, "version", "99");
        Func<Task>[] verbs =
        [
            () => queue.EnqueueAsync(queue.Row(2)), () => queue.ClaimAllAsync(), () => queue.Partition.ClaimAsync(1, "t", "w", repeated: true), () => queue.RenewAsync(job),
            () => queue.CompleteAsync(job), () => queue.BuryAsync(job), () => queue.RetryAsync(job, 1, TimeSpan.Zero), () => queue.ReleaseAsync(job),
            () => queue.ReclaimAsync(), () => queue.RedriveAsync(job.Job), () => queue.StatsAsync(),
        ];
        foreach (var verb in verbs)
            Assert.Contains("schema version 99", (await Assert.ThrowsAsync<QueueMismatchException>(verb)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("a{b")]
    [InlineData("a}b")]
    [InlineData("a\nb")]
    [InlineData("a\0b")]
    public async Task A_name_that_is_not_allowed_is_refused_and_nothing_is_enqueued(string name)
    {
        var queue = await TestQueue.CreateAsync(Store.RedisServer);
        await Assert.ThrowsAsync<ArgumentException>(() => queue.EnqueueAsync(queue.Row(1), queue.Single(name)));
        await Assert.ThrowsAsync<ArgumentException>(() => queue.EnqueueAsync(queue.Row(1), queue.Single("a") with { Queue = name }));
        await Assert.ThrowsAsync<ArgumentException>(() => queue.EnqueueAsync(queue.Row(1), queue.Row(2) with { Batch = name }));
        Assert.Equal(0, (await queue.StatsAsync()).Waiting);
    }

    [Fact]
    public async Task Rows_and_lanes_out_of_range_and_names_too_long_are_refused()
    {
        var queue = await TestQueue.CreateAsync(Store.RedisServer);
        Job[] wrong =
        [
            queue.Row(1) with { Row = 0 }, queue.Row(1) with { Row = -1 }, queue.Row(1) with { Row = int.MaxValue }, queue.Row(1) with { Lane = (Lane)7 },
            queue.Single(new string('a', 257)), queue.Single(new string('é', 129)),
            queue.Single("half \ud800 of a pair"),
        ];
        foreach (var job in wrong)
            await Assert.ThrowsAsync<ArgumentException>(() => queue.EnqueueAsync(job));
        Assert.Equal([EnqueueOutcome.Added, EnqueueOutcome.Added], await queue.EnqueueAsync(queue.Single(new string('a', 256)), queue.Single("a|b: c * \"'\\ – 日本")));
        Assert.Equal("a|b: c * \"'\\ – 日本", (await queue.ClaimAsync())[1].Job.Id);
    }

    [Fact]
    public async Task A_job_over_the_largest_size_is_refused_and_names_the_setting()
    {
        var queue = await TestQueue.CreateAsync(Store.RedisServer, o => o.MaxJobBytes = 2000);
        var refused = await Assert.ThrowsAnyAsync<ArgumentException>(
            () =>
                queue.EnqueueAsync(
                    queue.Row(1),
                    queue.Single(new string('x', 200)) with { Work = new RequestWork { Path = "/v1/x", Body = new byte[2000] } }));
        Assert.Contains("MaxJobBytes", refused.Message, StringComparison.Ordinal);
        Assert.Equal(0, (await queue.StatsAsync()).Waiting);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task A_body_comes_back_byte_for_byte(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        byte[] body = [.. Enumerable.Range(0, 256).Select(b => (byte)b), 0, 13, 10, .. Encoding.UTF8.GetBytes("😀")];
        await queue.EnqueueAsync(queue.Row(1) with { Work = new RequestWork { Path = "/v1/x", Body = body } });
        Assert.Equal(body, Assert.IsType<RequestWork>((await queue.ClaimOneAsync()).Job.Work).Body.ToArray());
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task A_queue_is_listed_once_it_has_jobs(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        Assert.DoesNotContain(queue.Name, await queue.Queue.QueuesAsync());
        await queue.EnqueueAsync(queue.Row(1));
        Assert.Contains(queue.Name, await queue.Queue.QueuesAsync());
    }

    [Fact]
    public async Task Nothing_to_enqueue_is_fine()
    {
        var queue = await TestQueue.CreateAsync(Store.RedisServer);
        Assert.Empty(await queue.EnqueueAsync());
    }
}
