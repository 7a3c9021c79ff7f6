namespace LlmPipeline;

public sealed class TryingAgain
{
    [Theory, ClassData(typeof(Stores))]
    public async Task A_retried_job_waits_for_its_delay_and_keeps_its_attempts(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueRowsAsync(1, 1);
        var job = await queue.ClaimOneAsync();
        for (var attempts = 1; attempts <= 3; attempts++)
        {
            Assert.Equal(SettleOutcome.Settled, await queue.RetryAsync(job, attempts, TimeSpan.FromMinutes(1)));
            Assert.Equal(SettleOutcome.SomeoneElses, await queue.RetryAsync(job, attempts + 1, TimeSpan.FromMinutes(1)));
            Assert.Equal(new QueueStats(0, 1, 0, 0), await queue.StatsAsync());
            Assert.InRange((await queue.ClaimAllAsync()).NextDue!.Value, TimeSpan.FromSeconds(30), TimeSpan.FromMinutes(1));
            await OnePlace.AssertAsync(queue);
            await queue.MakeDueAsync(job.Job.Id);
            job = await queue.ClaimOneAsync();
            Assert.Equal(attempts, job.Attempts);
        }

        Assert.Equal(new BatchProgress(1, 0, 0, 0), await queue.ProgressAsync());
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task What_its_calls_have_used_stays_with_a_job_until_it_ends(Store store)
    {
        var used = new JobUsage(1_234_567_890_123, 7, 3, 2);
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueRowsAsync(1, 2);
        var jobs = await queue.ClaimAsync(2);
        await queue.RetryAsync(jobs[0] with { Used = used }, 1, TimeSpan.Zero);
        await queue.RetryAsync(jobs[1], 1, TimeSpan.Zero);
        jobs = await ClaimAsync();
        await queue.ReleaseAsync(jobs[0]);
        await queue.ReleaseAsync(jobs[1]);
        jobs = await ClaimAsync();
        foreach (var job in jobs)
            await queue.ExpireAsync(job);
        await queue.ReclaimAsync();
        jobs = await ClaimAsync();
        Assert.Equal([1, 1], jobs.Select(job => job.Lost));
        await queue.RetryAsync(jobs[0] with { Used = used with { Nanos = null } }, 2, TimeSpan.Zero);
        Assert.Equal(used with { Nanos = null }, (await queue.ClaimOneAsync()).Used);

        async Task<IReadOnlyList<ClaimedJob>> ClaimAsync()
        {
            var claimed = (await queue.ClaimAsync(2)).OrderBy(job => job.Job.Row).ToList();
            Assert.Equal([used, default], claimed.Select(job => job.Used));
            return claimed;
        }
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task How_it_was_refused_stays_with_a_job(Store store)
    {
        var refused = new JobRefusal(ulong.MaxValue, TimeProvider.System.GetUtcNow(), HasAnswered: true);
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueRowsAsync(1, 1);
        var job = await queue.ClaimOneAsync();
        Assert.Null(job.Refused);
        await queue.RetryAsync(job with { Refused = refused }, 0, TimeSpan.Zero);
        job = await queue.ClaimOneAsync();
        Assert.InRange((job.Refused!.Value.Since - refused.Since).Duration(), TimeSpan.Zero, TimeSpan.FromSeconds(10));
        Assert.Equal(refused with { Since = job.Refused.Value.Since }, job.Refused);
        Assert.Equal(default, job.Used);
        await queue.RetryAsync(job with { Used = new JobUsage(null, 1, 0, 2) }, 0, TimeSpan.Zero);

        job = await queue.ClaimOneAsync();
        Assert.Equal((refused.Scope, new JobUsage(null, 1, 0, 2)), (job.Refused!.Value.Scope, job.Used));
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task A_delay_passes_by_itself(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueRowsAsync(1, 1);
        await queue.RetryAsync(await queue.ClaimOneAsync(), 1, TimeSpan.FromMilliseconds(0.2));
        await Eventually.HoldsAsync(async () => (await queue.ClaimAsync()).Count == 1, "the job is due");
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task A_retry_without_delay_is_next_in_its_lane(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueRowsAsync(1, 3, Lane.Low);
        await queue.RetryAsync(await queue.ClaimOneAsync(), 2, TimeSpan.Zero);
        Assert.Equal(3, await queue.Database.ListLengthAsync(queue.Keys.Waiting[2]));
        var again = await queue.ClaimOneAsync();
        Assert.Equal((1, 2), (again.Job.Row, again.Attempts));
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task Released_jobs_are_next_in_the_order_given_and_nothing_is_charged(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueRowsAsync(1, 6);
        var jobs = await queue.ClaimAsync(4);
        await queue.RetryAsync(jobs[0], 3, TimeSpan.Zero);
        jobs = [await queue.ClaimOneAsync(), .. jobs.Skip(1)];
        await queue.CompleteAsync(jobs[2]);
        Assert.Equal(
            [SettleOutcome.Settled, SettleOutcome.Settled, SettleOutcome.AlreadyEnded, SettleOutcome.Settled], await queue.Partition.ReleaseAsync(jobs));
        Assert.Equal(SettleOutcome.SomeoneElses, await queue.ReleaseAsync(jobs[0]));
        await OnePlace.AssertAsync(queue);
        var again = await queue.ClaimAsync();
        Assert.Equal([1, 2, 4, 5, 6], again.Select(j => j.Job.Row));
        Assert.Equal([3, 0, 0, 0, 0], again.Select(j => j.Attempts));
        Assert.All(again, j => Assert.Equal(0, j.Lost));
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task Lost_leases_and_attempts_are_counted_apart_and_survive_each_other(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueRowsAsync(1, 1);
        var job = await queue.ClaimOneAsync();
        await queue.RetryAsync(job, 2, TimeSpan.Zero);
        job = await queue.ClaimOneAsync();
        await queue.ExpireAsync(job);
        await queue.ReclaimAsync();
        job = await queue.ClaimOneAsync();
        await queue.ReleaseAsync(job);
        job = await queue.ClaimOneAsync();
        await queue.RetryAsync(job, 3, TimeSpan.Zero);
        job = await queue.ClaimOneAsync();
        Assert.Equal((3, 1), (job.Attempts, job.Lost));
    }
}
