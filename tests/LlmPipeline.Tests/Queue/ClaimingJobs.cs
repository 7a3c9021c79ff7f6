namespace LlmPipeline;

public sealed class ClaimingJobs
{
    [Theory, ClassData(typeof(Stores))]
    public async Task A_claim_takes_the_oldest_and_no_more_than_asked(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueRowsAsync(1, 30);
        Assert.Equal(Enumerable.Range(1, 12), (await queue.ClaimAsync(12)).Select(j => j.Job.Row));
        Assert.Equal(Enumerable.Range(13, 18), (await queue.ClaimAsync()).Select(j => j.Job.Row));
        Assert.Empty(await queue.ClaimAsync());
        Assert.Equal(new QueueStats(0, 0, 30, 0), await queue.StatsAsync());
        await OnePlace.AssertAsync(queue);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task A_claimed_job_has_its_fence_and_nothing_charged(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueRowsAsync(1, 1);
        var job = Assert.Single((await queue.Partition.ClaimAsync(1, "the-token", "worker")).Jobs);
        Assert.Equal(("the-token", 0, 0, 0), (job.Token, job.Attempts, job.Lost, job.Partition));
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task An_empty_queue_and_one_that_does_not_exist_give_nothing(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        var claim = await queue.ClaimAllAsync();
        Assert.Empty(claim.Jobs);
        Assert.Null(claim.NextDue);
        Assert.Equal(new QueueStats(0, 0, 0, 0), await queue.StatsAsync());
        Assert.Equal(0, await queue.ReclaimAsync());
        Assert.Empty(await queue.Partition.RenewAsync("worker", []));
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task A_claim_stops_at_four_mebibytes_but_takes_at_least_one(Store store)
    {
        var queue = await TestQueue.CreateAsync(store, o => o.MaxJobBytes = 8 * 1024 * 1024);
        int[] sizes = [5_000_000, 1_500_000, 1_500_000, 1_500_000, 100, 100, 1_000_000];
        await queue.EnqueueAsync([.. sizes.Select((s, n) => queue.Row(n + 1) with { Work = new RequestWork { Path = "/v1/x", Body = new byte[s] } })]);
        int[][] expected = [[1], [2, 3], [4, 5, 6, 7]];
        foreach (var rows in expected)
        {
            Assert.Equal(rows, (await queue.ClaimAsync()).Select(j => j.Job.Row));
            await OnePlace.AssertAsync(queue);
        }
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task A_claim_of_many_middling_jobs_is_full_but_not_over(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueAsync([.. Enumerable.Range(1, 100).Select(r => queue.Row(r) with { Work = new RequestWork { Path = "/v1/x", Body = new byte[100_000] } })]);
        var rows = new List<int>();
        while (await queue.ClaimAsync() is { Count: > 0 } jobs)
        {
            Assert.True(jobs.Count is 41 || jobs[^1].Job.Row == 100, $"{jobs.Count} jobs of 100 kB");
            rows.AddRange(jobs.Select(j => j.Job.Row));
        }

        Assert.Equal(Enumerable.Range(1, 100), rows);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task A_claim_whose_answer_was_lost_is_answered_again_and_takes_nothing_new(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueRowsAsync(1, 20);
        var other = await queue.ClaimAsync(4, "worker-2");
        var lost = (await queue.Partition.ClaimAsync(5, "same", TestQueue.Worker)).Jobs;
        await queue.ExpireAsync(lost);
        var again = (await queue.Partition.ClaimAsync(5, "same", TestQueue.Worker, repeated: true)).Jobs;
        Assert.Equal(lost.Select(j => j.Job.Id).Order(), again.Select(j => j.Job.Id).Order());
        Assert.Equal(new QueueStats(11, 0, 9, 0), await queue.StatsAsync());
        Assert.Equal(0, await queue.ReclaimAsync());
        Assert.All(again, j => Assert.Equal("same", j.Token));
        Assert.All(other, j => Assert.NotEqual("same", j.Token));
        await OnePlace.AssertAsync(queue);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task A_claim_that_never_arrived_is_made_when_it_is_repeated(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueRowsAsync(1, 3);
        Assert.Equal(2, (await queue.Partition.ClaimAsync(2, "same", TestQueue.Worker, repeated: true)).Jobs.Count);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task A_repeated_claim_does_not_see_what_was_reclaimed_meanwhile(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueRowsAsync(1, 1);
        await queue.ExpireAsync((await queue.Partition.ClaimAsync(1, "same", TestQueue.Worker)).Jobs);
        Assert.Equal(1, await queue.ReclaimAsync());
        await queue.ClaimOneAsync("worker-2");
        Assert.Empty((await queue.Partition.ClaimAsync(1, "same", TestQueue.Worker, repeated: true)).Jobs);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task Lanes_are_claimed_from_the_one_asked_for_on_and_round(Store store)
    {
        (Lane Start, Lane[] Order)[] rows = [(Lane.High, [Lane.High, Lane.Normal, Lane.Low]), (Lane.Normal, [Lane.Normal, Lane.Low, Lane.High]), (Lane.Low, [Lane.Low, Lane.High, Lane.Normal])];
        foreach (var (start, order) in rows)
        {
            var queue = await TestQueue.CreateAsync(store);
            await queue.EnqueueAsync(queue.Row(1, Lane.Low), queue.Row(2, Lane.High), queue.Row(3, Lane.Normal), queue.Row(4, Lane.Low), queue.Row(5, Lane.High));
            var claimed = (await queue.ClaimAllAsync(lane: start)).Jobs;
            Assert.Equal(order.SelectMany(l => claimed.Where(j => j.Job.Lane == l)), claimed);
            Assert.Equal(5, claimed.Count);
        }
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task Due_jobs_come_first_in_the_order_of_their_times(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueRowsAsync(1, 2);
        await queue.EnqueueAsync([.. Enumerable.Range(3, 3).Select(r => queue.Row(r) with { Delay = TimeSpan.FromHours(r) })]);
        await queue.Database.SortedSetAddAsync(queue.Keys.Delayed, [new(queue.Row(3).Id, 30), new(queue.Row(4).Id, 20)]);
        var claim = await queue.ClaimAllAsync();
        Assert.Equal([4, 3, 1, 2], claim.Jobs.Select(j => j.Job.Row));
        Assert.InRange(claim.NextDue!.Value, TimeSpan.FromHours(4.9), TimeSpan.FromHours(5));
        await OnePlace.AssertAsync(queue);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task A_crowd_of_due_jobs_is_promoted_in_steps_and_the_rest_is_due_at_once(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueAsync([.. Enumerable.Range(1, 250).Select(r => queue.Row(r) with { Delay = TimeSpan.FromHours(1) })]);
        await queue.Database.SortedSetAddAsync(queue.Keys.Delayed, [.. Enumerable.Range(1, 250).Select(r => new StackExchange.Redis.SortedSetEntry(queue.Row(r).Id, r))]);
        var claim = await queue.ClaimAllAsync();
        Assert.Equal(TimeSpan.Zero, claim.NextDue);
        var rows = claim.Jobs.Select(j => j.Job.Row).ToList();
        while (await queue.ClaimAsync() is { Count: > 0 } jobs)
            rows.AddRange(jobs.Select(j => j.Job.Row));
        Assert.Equal(Enumerable.Range(1, 250), rows);
        await OnePlace.AssertAsync(queue);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task Ids_without_an_envelope_are_dropped_and_hide_nothing_behind_them(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueRowsAsync(1, 700);
        await queue.Database.HashDeleteAsync(queue.Keys.Jobs, [.. Enumerable.Range(1, 690).Where(r => r % 50 != 0).Select(r => (StackExchange.Redis.RedisValue)queue.Row(r).Id)]);
        // One of them was tried before.
        await queue.Database.HashSetAsync(queue.Keys.Leases, queue.Row(7).Id, "|1|0|");
        Assert.Equal([50, 100, 150, 200], (await queue.ClaimAsync(4)).Select(j => j.Job.Row));
        Assert.Equal(19, (await queue.ClaimAsync()).Count);
        Assert.Equal(0, (await queue.StatsAsync()).Waiting);
        await OnePlace.AssertAsync(queue);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task Very_many_ids_without_an_envelope_are_dropped_in_bounded_steps(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueRowsAsync(1, 1);
        await queue.Database.ListLeftPushAsync(queue.Keys.Waiting[1], [.. Enumerable.Range(1, 5000).Select(n => (StackExchange.Redis.RedisValue)$"gone-{n}")]);
        var claims = 0;
        ClaimResult claim;
        do
        {
            claim = await queue.ClaimAllAsync();
            claims++;
        }
        while (claim.NextDue == TimeSpan.Zero && claims < 10);
        Assert.InRange(claims, 3, 4);
        Assert.Equal(1, Assert.Single(claim.Jobs).Job.Row);
    }

    [Fact]
    public async Task A_token_or_worker_that_would_break_a_lease_is_refused()
    {
        var queue = await TestQueue.CreateAsync(Store.RedisServer);
        await Assert.ThrowsAsync<ArgumentException>(() => queue.Partition.ClaimAsync(1, "", "worker"));
        await Assert.ThrowsAsync<ArgumentException>(() => queue.Partition.ClaimAsync(1, "a|b", "worker"));
        await Assert.ThrowsAsync<ArgumentException>(() => queue.Partition.ClaimAsync(1, "token", "a|b"));
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task Many_workers_share_the_jobs_and_no_job_is_claimed_twice(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueRowsAsync(1, 2000);
        var claimed = await Task.WhenAll(Enumerable.Range(0, 16).Select(async n =>
        {
            var mine = new List<int>();
            while (await queue.ClaimAsync(7, $"worker-{n}") is { Count: > 0 } jobs)
                mine.AddRange(jobs.Select(j => j.Job.Row));
            return mine;
        }));
        Assert.Equal(Enumerable.Range(1, 2000), claimed.SelectMany(c => c).Order());
        await OnePlace.AssertAsync(queue);
    }
}
