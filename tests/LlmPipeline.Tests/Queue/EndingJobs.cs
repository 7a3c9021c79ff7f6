namespace LlmPipeline;

public sealed class EndingJobs
{
    [Theory, ClassData(typeof(Stores))]
    public async Task A_completed_job_is_counted_once_and_leaves_nothing_behind(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueRowsAsync(1, 1);
        var job = await queue.ClaimOneAsync();
        Assert.Equal(SettleOutcome.Settled, await queue.CompleteAsync(job));
        Assert.Equal(SettleOutcome.AlreadyEnded, await queue.CompleteAsync(job));
        Assert.Equal(SettleOutcome.AlreadyEnded, await queue.CompleteAsync(job, EndState.Cancelled));
        Assert.Equal(SettleOutcome.AlreadyEnded, await queue.BuryAsync(job));
        Assert.Equal(SettleOutcome.AlreadyEnded, await queue.RetryAsync(job, 1, TimeSpan.Zero));
        Assert.Equal(SettleOutcome.AlreadyEnded, await queue.ReleaseAsync(job));
        Assert.Equal(new BatchProgress(1, 1, 0, 0), await queue.ProgressAsync());
        Assert.Equal(new QueueStats(0, 0, 0, 0), await queue.StatsAsync());
        Assert.Equal(1, await queue.Database.ListLengthAsync(queue.Keys.Finished(queue.Batch)));
        Assert.False(await queue.Database.KeyExistsAsync(queue.Keys.Jobs));
        Assert.False(await queue.Database.KeyExistsAsync(queue.Keys.Leases));
        await OnePlace.AssertAsync(queue);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task Each_way_to_end_has_its_count(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueRowsAsync(1, 4);
        var jobs = await queue.ClaimAsync();
        var outcomes = await queue.Partition.CompleteAsync([(jobs[0], EndState.Completed), (jobs[1], EndState.Expired), (jobs[2], EndState.Cancelled)]);
        Assert.All(outcomes, o => Assert.Equal(SettleOutcome.Settled, o));
        await queue.BuryAsync(jobs[3]);
        var progress = await queue.ProgressAsync();
        Assert.Equal(new BatchProgress(4, 1, 2, 1), progress);
        Assert.Equal(4, progress.Ended);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task One_call_settles_jobs_of_many_batches_and_of_none(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        string[] batches = [queue.Batch + "a", queue.Batch + "b", queue.Batch + "c"];
        await queue.EnqueueAsync([.. batches.SelectMany(b => Enumerable.Range(1, 5).Select(r => queue.Single($"{b}.{r}") with { Batch = b, Row = r })), queue.Single("single")]);
        var jobs = await queue.ClaimAsync();
        Assert.All(await queue.Partition.CompleteAsync([.. jobs.Reverse().Select(j => (j, EndState.Completed))]), o => Assert.Equal(SettleOutcome.Settled, o));
        foreach (var batch in batches)
        {
            var follower = await queue.Queue.Batches.FollowAsync(batch, [queue.Name]);
            Assert.Equal(5, (await follower.ReadAsync()).Count);
            Assert.Equal(new BatchProgress(5, 5, 0, 0), follower.Progress);
        }

        await OnePlace.AssertAsync(queue);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task Rows_wherever_they_lie_are_marked_as_they_end_and_no_others(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        // Of the same byte, of the last of a stretch and the first of the next, and far away; enqueued and ended in no order.
        int[] rows = [2048, 3, 2047, 1, 100_003, 2, 4096, 2049, 4095, 8, 5];
        await queue.EnqueueAsync([.. rows.Select(row => queue.Row(row, Lane.Normal))]);
        var jobs = await queue.ClaimAsync();
        // What a failover has forgotten of the map is written anew.
        await queue.Database.KeyDeleteAsync(queue.Keys.Ended(queue.Batch));
        var ended = jobs.Where(job => job.Job.Row != 5).Select((job, n) => (Job: job, State: (EndState)(1 + (n % 3)))).ToList();
        Assert.All(await queue.Partition.CompleteAsync(ended), outcome => Assert.Equal(SettleOutcome.Settled, outcome));
        var outcomes = await queue.Partition.CompleteAsync([.. ended, (jobs.Single(job => job.Job.Row == 5), EndState.Completed)]);
        Assert.All(outcomes.SkipLast(1), outcome => Assert.Equal(SettleOutcome.AlreadyEnded, outcome));
        Assert.Equal(SettleOutcome.Settled, outcomes[^1]);

        var found = new Dictionary<int, EndState>();
        await EndedRows.EachAsync(queue.Redis.Commands, queue.Keys.Ended(queue.Batch), found.Add);
        Assert.Equal(ended.ToDictionary(one => one.Job.Job.Row, one => one.State).Append(new(5, EndState.Completed)).OrderBy(one => one.Key), found.OrderBy(one => one.Key));
        Assert.Equal(rows.Length, (await queue.ProgressAsync()).Ended);
        Assert.Equal(rows.Length, await queue.Database.ListLengthAsync(queue.Keys.Finished(queue.Batch)));
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task A_token_that_begins_like_another_is_not_that_one(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueRowsAsync(1, 1);
        var job = Assert.Single((await queue.Partition.ClaimAsync(1, "token-17", "worker-1")).Jobs);
        Assert.Equal(SettleOutcome.SomeoneElses, await queue.CompleteAsync(job with { Token = "token-1" }));
        Assert.Equal(SettleOutcome.Settled, await queue.CompleteAsync(job));
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task A_worker_that_lost_its_lease_settles_nothing(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueRowsAsync(1, 1);
        var stale = await queue.ClaimOneAsync();
        await queue.ExpireAsync(stale);
        await queue.ReclaimAsync();
        await NothingSettlesAsync(queue, stale);
        var theirs = await queue.ClaimOneAsync("worker-2");
        await NothingSettlesAsync(queue, stale);
        Assert.Equal(SettleOutcome.Settled, await queue.RetryAsync(theirs, 1, TimeSpan.FromHours(1)));
        await NothingSettlesAsync(queue, stale);
        await NothingSettlesAsync(queue, theirs);
        Assert.Equal(new BatchProgress(1, 0, 0, 0), await queue.ProgressAsync());
        await OnePlace.AssertAsync(queue);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task A_late_completion_of_a_buried_job_moves_the_count_over_and_clears_the_dead_letter(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueRowsAsync(1, 1);
        var stale = await queue.ClaimOneAsync();
        await queue.ExpireAsync(stale);
        await queue.ReclaimAsync();
        await queue.BuryAsync(await queue.ClaimOneAsync("worker-2"));
        Assert.Equal(new BatchProgress(1, 0, 1, 0), await queue.ProgressAsync());
        Assert.Equal(SettleOutcome.AlreadyEnded, await queue.CompleteAsync(stale, EndState.Expired));
        Assert.Equal(new QueueStats(0, 0, 0, 1), await queue.StatsAsync());
        Assert.Equal(SettleOutcome.AlreadyEnded, await queue.CompleteAsync(stale));
        Assert.Equal(SettleOutcome.AlreadyEnded, await queue.CompleteAsync(stale));
        Assert.Equal(new BatchProgress(1, 1, 0, 0), await queue.ProgressAsync());
        Assert.Equal(new QueueStats(0, 0, 0, 0), await queue.StatsAsync());
        await OnePlace.AssertAsync(queue);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task A_late_completion_of_a_cancelled_or_expired_job_moves_the_count_over(Store store)
    {
        foreach (var state in (EndState[])[EndState.Cancelled, EndState.Expired])
        {
            var queue = await TestQueue.CreateAsync(store);
            await queue.EnqueueRowsAsync(1, 1);
            var stale = await queue.ClaimOneAsync();
            await queue.ExpireAsync(stale);
            await queue.ReclaimAsync();
            await queue.CompleteAsync(await queue.ClaimOneAsync("worker-2"), state);
            Assert.Equal(SettleOutcome.AlreadyEnded, await queue.CompleteAsync(stale));
            Assert.Equal(new BatchProgress(1, 1, 0, 0), await queue.ProgressAsync());
            Assert.Equal(SettleOutcome.AlreadyEnded, await queue.CompleteAsync(stale, EndState.Cancelled));
            Assert.Equal(new BatchProgress(1, 1, 0, 0), await queue.ProgressAsync());
        }
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task A_late_completion_of_a_job_that_was_redriven_waits_for_the_next_claim_to_find_the_result(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueRowsAsync(1, 1);
        var stale = await queue.ClaimOneAsync();
        await queue.ExpireAsync(stale);
        await queue.ReclaimAsync();
        var second = await queue.ClaimOneAsync("worker-2");
        await queue.BuryAsync(second);
        Assert.True(await queue.RedriveAsync(second.Job));
        await NothingSettlesAsync(queue, stale);
        await NothingSettlesAsync(queue, second);
        Assert.Equal(SettleOutcome.Settled, await queue.CompleteAsync(await queue.ClaimOneAsync("worker-3")));
        Assert.Equal(new BatchProgress(1, 1, 0, 0), await queue.ProgressAsync());
        await OnePlace.AssertAsync(queue);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task Settling_when_the_store_has_lost_everything_is_no_error(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueRowsAsync(1, 1);
        var job = await queue.ClaimOneAsync();
        await queue.Database.KeyDeleteAsync([queue.Keys.Meta, queue.Keys.Jobs, queue.Keys.Inflight, queue.Keys.Leases]);
        Assert.False(await queue.RenewAsync(job));
        Assert.Equal(SettleOutcome.AlreadyEnded, await queue.RetryAsync(job, 1, TimeSpan.Zero));
        Assert.Equal(SettleOutcome.AlreadyEnded, await queue.CompleteAsync(job));
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task A_completion_whose_enqueueing_a_failover_has_undone_is_counted_and_expected(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueRowsAsync(1, 2);
        var jobs = await queue.ClaimAsync();
        await queue.Database.KeyDeleteAsync([queue.Keys.Jobs, queue.Keys.Inflight, queue.Keys.Leases, queue.Keys.Batch(queue.Batch), queue.Keys.Ended(queue.Batch)]);
        Assert.Equal(SettleOutcome.AlreadyEnded, await queue.CompleteAsync(jobs[0]));
        Assert.Equal(SettleOutcome.AlreadyEnded, await queue.CompleteAsync(jobs[0]));
        Assert.Equal([EnqueueOutcome.Ended, EnqueueOutcome.Added], await queue.EnqueueAsync(queue.Row(1), queue.Row(2)));
        await queue.CompleteAsync(await queue.ClaimOneAsync());
        Assert.Equal(new BatchProgress(2, 2, 0, 0), await queue.ProgressAsync());
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task No_job_one_job_twice_and_thousands_settle_in_one_call(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueRowsAsync(1, 1201);
        List<ClaimedJob> jobs = [.. await queue.ClaimAsync(), .. await queue.ClaimAsync(), .. await queue.ClaimAsync()];
        Assert.Empty(await queue.Partition.CompleteAsync([]));
        Assert.Empty(await queue.Partition.BuryAsync([]));
        Assert.Empty(await queue.Partition.RetryAsync([]));
        Assert.Empty(await queue.Partition.ReleaseAsync([]));
        Assert.Equal(1201, (await queue.Partition.RenewAsync(TestQueue.Worker, jobs)).Count(state => state == LeaseState.Held));
        await queue.Partition.CompleteAsync([(jobs[0], EndState.Completed), (jobs[0], EndState.Completed)]);
        Assert.Equal(new BatchProgress(1201, 1, 0, 0), await queue.ProgressAsync());
        Assert.Equal(1, (await queue.Partition.ReleaseAsync(jobs)).Count(o => o == SettleOutcome.AlreadyEnded));
        jobs = [.. await queue.ClaimAsync(), .. await queue.ClaimAsync(), .. await queue.ClaimAsync()];
        Assert.All(await queue.Partition.CompleteAsync([.. jobs.Select(j => (j, EndState.Completed))]), o => Assert.Equal(SettleOutcome.Settled, o));
        Assert.Equal(new BatchProgress(1201, 1201, 0, 0), await queue.ProgressAsync());
        await OnePlace.AssertAsync(queue);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task A_row_counts_once_also_when_two_jobs_claim_to_be_it_and_a_completion_wins(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        // Both are waiting before either ends: an ended row is refused at the door.
        await queue.EnqueueAsync([.. Enumerable.Range(1, 5).Select(n => queue.Row(1) with { Id = $"same-{n}" })]);
        var jobs = await queue.ClaimAsync();
        await queue.BuryAsync(jobs[0]);
        await queue.BuryAsync(jobs[1]);
        await queue.CompleteAsync(jobs[2], EndState.Cancelled);
        Assert.Equal(new BatchProgress(5, 0, 1, 0), await queue.ProgressAsync());
        await queue.CompleteAsync(jobs[3]);
        await queue.CompleteAsync(jobs[4], EndState.Expired);
        Assert.Equal(new BatchProgress(5, 1, 0, 0), await queue.ProgressAsync());
        Assert.Equal(2, await queue.Database.ListLengthAsync(queue.Keys.Finished(queue.Batch)));
        await OnePlace.AssertAsync(queue);
    }

    private static async Task NothingSettlesAsync(TestQueue queue, ClaimedJob stale)
    {
        Assert.Equal(SettleOutcome.SomeoneElses, await queue.CompleteAsync(stale));
        Assert.Equal(SettleOutcome.SomeoneElses, await queue.CompleteAsync(stale, EndState.Expired));
        Assert.Equal(SettleOutcome.SomeoneElses, await queue.BuryAsync(stale));
        Assert.Equal(SettleOutcome.SomeoneElses, await queue.RetryAsync(stale, 1, TimeSpan.Zero));
        Assert.Equal(SettleOutcome.SomeoneElses, await queue.ReleaseAsync(stale));
        Assert.False(await queue.RenewAsync(stale));
        await OnePlace.AssertAsync(queue);
    }
}
