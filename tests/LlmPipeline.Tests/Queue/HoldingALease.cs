namespace LlmPipeline;

public sealed class HoldingALease
{
    [Theory, ClassData(typeof(Stores))]
    public async Task A_held_lease_is_extended(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueRowsAsync(1, 2);
        var jobs = await queue.ClaimAsync();
        await queue.ExpireAsync(jobs[0]);
        Assert.True(await queue.RenewAsync(jobs[0]));
        Assert.Equal(0, await queue.ReclaimAsync());
        await OnePlace.AssertAsync(queue);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task Of_many_leases_each_has_its_own_answer(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueRowsAsync(1, 5);
        var jobs = await queue.ClaimAsync();
        await queue.CompleteAsync(jobs[1]);
        await queue.RetryAsync(jobs[3], 1, TimeSpan.FromHours(1));
        Assert.Equal([LeaseState.Held, LeaseState.Lost, LeaseState.Held, LeaseState.Lost, LeaseState.Held], await queue.Partition.RenewAsync(TestQueue.Worker, jobs));
        await OnePlace.AssertAsync(queue);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task A_lease_that_was_reclaimed_is_lost_also_when_somebody_else_has_the_job(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueRowsAsync(1, 1);
        var mine = await queue.ClaimOneAsync();
        await queue.ExpireAsync(mine);
        Assert.Equal(1, await queue.ReclaimAsync());
        Assert.False(await queue.RenewAsync(mine));
        var theirs = await queue.ClaimOneAsync("worker-2");
        Assert.False(await queue.RenewAsync(mine));
        Assert.True(await queue.RenewAsync(theirs, "worker-2"));
        Assert.Equal(1, theirs.Lost);
        await OnePlace.AssertAsync(queue);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task An_expired_lease_goes_back_to_the_front_and_counts_as_lost(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueRowsAsync(1, 3);
        var job = await queue.ClaimOneAsync();
        Assert.Equal(0, await queue.ReclaimAsync());
        for (var lost = 1; lost <= 3; lost++)
        {
            await queue.ExpireAsync(job);
            Assert.Equal(1, await queue.ReclaimAsync());
            await OnePlace.AssertAsync(queue);
            job = await queue.ClaimOneAsync();
            Assert.Equal((1, lost, 0), (job.Job.Row, job.Lost, job.Attempts));
        }
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task The_leases_of_a_process_that_is_gone_are_reclaimed_at_once_and_no_others(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueRowsAsync(1, 350);
        var gone = new List<int>();
        while (await queue.ClaimAsync(5, "gone") is { Count: > 0 } jobs)
        {
            gone.AddRange(jobs.Select(j => j.Job.Row));
            await queue.ClaimAsync(2, "lives");
        }

        await queue.LoseWorkerAsync("gone");
        await queue.Partition.RenewAsync("lives", []);
        Assert.Equal(gone.Count, await queue.ReclaimAsync());
        Assert.Equal(new QueueStats(gone.Count, 0, 350 - gone.Count, 0), await queue.StatsAsync());
        Assert.Equal(gone.Order(), (await queue.ClaimAsync(500, "lives")).Select(j => j.Job.Row).Order());
        Assert.Equal(0, await queue.ReclaimAsync());
        await OnePlace.AssertAsync(queue);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task A_process_that_beats_without_leases_to_extend_keeps_those_it_has(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueRowsAsync(1, 1);
        await queue.ClaimOneAsync();
        await queue.LoseWorkerAsync();
        Assert.Empty(await queue.Partition.RenewAsync(TestQueue.Worker, []));
        Assert.Equal(0, await queue.ReclaimAsync());
        Assert.True(await queue.Database.SortedSetScoreAsync(queue.Keys.Workers, TestQueue.Worker) > 1);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task An_expired_lease_on_a_job_that_is_gone_is_cleared_away(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueRowsAsync(1, 2);
        var jobs = await queue.ClaimAsync();
        await queue.Database.HashDeleteAsync(queue.Keys.Jobs, jobs[0].Job.Id);
        await queue.ExpireAsync(jobs);
        Assert.Equal(1, await queue.ReclaimAsync());
        await OnePlace.AssertAsync(queue);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task A_claim_says_that_its_worker_lives(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueRowsAsync(1, 1);
        await queue.LoseWorkerAsync();
        await queue.ClaimOneAsync();
        Assert.Equal(0, await queue.ReclaimAsync());
        Assert.Equal(1, (await queue.StatsAsync()).Inflight);
        Assert.True(await queue.Database.SortedSetScoreAsync(queue.Keys.Workers, TestQueue.Worker) > 1);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task A_thousand_expired_leases_are_all_returned(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueRowsAsync(1, 1000);
        await queue.ExpireAsync([.. await queue.ClaimAsync(), .. await queue.ClaimAsync()]);
        Assert.Equal(1000, await queue.ReclaimAsync());
        Assert.Equal(new QueueStats(1000, 0, 0, 0), await queue.StatsAsync());
        await OnePlace.AssertAsync(queue);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task Reclaimers_at_the_same_time_return_each_job_once(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueRowsAsync(1, 400);
        await queue.ExpireAsync(await queue.ClaimAsync());
        var returned = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => queue.ReclaimAsync()));
        Assert.Equal(400, returned.Sum());
        await OnePlace.AssertAsync(queue);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task A_reclaimed_job_waits_in_its_own_lane(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueAsync(queue.Row(1, Lane.Low), queue.Row(2, Lane.High));
        await queue.ExpireAsync(await queue.ClaimAsync());
        await queue.ReclaimAsync();
        Assert.Equal(1, await queue.Database.ListLengthAsync(queue.Keys.Waiting[0]));
        Assert.Equal(1, await queue.Database.ListLengthAsync(queue.Keys.Waiting[2]));
    }
}
