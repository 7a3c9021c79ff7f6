namespace LlmPipeline;

public sealed class CountingCosts
{
    [Theory, ClassData(typeof(Stores))]
    public async Task An_answer_repeated_is_counted_once_for_its_batch_and_its_deployment(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueRowsAsync(1, 2);
        var jobs = await queue.ClaimAsync();
        var (completed, buried) = (Paid(jobs[0], 7), Paid(jobs[1], 5));
        for (var n = 0; n < 3; n++)
        {
            await queue.CompleteAsync(completed);
            await queue.BuryAsync(buried);
        }

        Assert.Equal(12, (await queue.ProgressAsync()).SpentNanos);
        Assert.Equal([new JobCost("main", 12)], await queue.Queue.SpentAsync(queue.Name));
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task A_late_completion_in_place_of_an_error_adds_what_it_has_cost_once(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueRowsAsync(1, 1);
        var stale = Paid(await queue.ClaimOneAsync(), 100);
        await queue.ExpireAsync(stale);
        await queue.ReclaimAsync();
        await queue.BuryAsync(Paid(await queue.ClaimOneAsync("worker-2"), 3));
        for (var n = 0; n < 3; n++)
            await queue.CompleteAsync(stale);

        var progress = await queue.ProgressAsync();
        Assert.Equal((1, 0), (progress.Completed, progress.Failed));
        Assert.Equal(103, progress.SpentNanos);
        Assert.Equal([new JobCost("main", 103)], await queue.Queue.SpentAsync(queue.Name));
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task A_late_completion_where_another_stands_adds_nothing(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueRowsAsync(1, 1);
        var stale = Paid(await queue.ClaimOneAsync(), 100);
        await queue.ExpireAsync(stale);
        await queue.ReclaimAsync();
        await queue.CompleteAsync(Paid(await queue.ClaimOneAsync("worker-2"), 3));
        await queue.CompleteAsync(stale);

        Assert.Equal(3, (await queue.ProgressAsync()).SpentNanos);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task What_failed_and_runs_again_stays_paid(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueRowsAsync(1, 1);
        var failed = Paid(await queue.ClaimOneAsync(), 40);
        await queue.BuryAsync(failed);
        Assert.True(await queue.RedriveAsync(failed.Job));
        await queue.BuryAsync(failed);
        Assert.Equal(40, (await queue.ProgressAsync()).SpentNanos);
        await queue.CompleteAsync(Paid(await queue.ClaimOneAsync(), 2));

        Assert.Equal(42, (await queue.ProgressAsync()).SpentNanos);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task A_try_that_is_repeated_later_counts_what_it_has_cost(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueRowsAsync(1, 1);
        await queue.EnqueueAsync(queue.Single("single"));
        foreach (var job in await queue.ClaimAsync())
        {
            await queue.RetryAsync(Paid(job, 11), 1, TimeSpan.Zero);
            await queue.RetryAsync(Paid(job, 11), 1, TimeSpan.Zero);
        }

        Assert.Equal(11, (await queue.ProgressAsync()).SpentNanos);
        Assert.Equal([new JobCost("main", 22)], await queue.Queue.SpentAsync(queue.Name));
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task Sums_are_exact_where_a_floating_point_number_is_not(Store store)
    {
        const int Rows = 3000;
        const long Odd = 9_007_199_254_741;
        var queue = await TestQueue.CreateAsync(store, options => options.Partitions = 3);
        await queue.EnqueueRowsAsync(1, Rows);
        foreach (var partition in queue.Partitions)
        {
            while ((await partition.ClaimAsync(500, queue.NewToken(), TestQueue.Worker)).Jobs is { Count: > 0 } jobs)
                await partition.CompleteAsync([.. jobs.Select(job => (job with { Costs = [new("a deployment", Odd), new("b", job.Job.Row)] }, EndState.Completed))]);
        }

        var follower = await queue.Queue.Batches.FollowAsync(queue.Batch, [queue.Name]);
        await follower.ReadAsync();
        Assert.Equal((Rows * Odd) + (Rows * (Rows + 1) / 2), follower.Progress.SpentNanos);
        Assert.Equal(
            [new("a deployment", Rows * Odd), new("b", Rows * (Rows + 1) / 2)],
            (await queue.Queue.SpentAsync(queue.Name)).OrderBy(cost => cost.Deployment, StringComparer.Ordinal));
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task Without_a_price_there_is_no_cost_which_is_not_a_cost_of_nothing(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueRowsAsync(1, 2);
        var jobs = await queue.ClaimAsync();
        await queue.CompleteAsync(jobs[0]);
        Assert.Null((await queue.ProgressAsync()).SpentNanos);
        Assert.Empty(await queue.Queue.SpentAsync(queue.Name));

        await queue.CompleteAsync(Paid(jobs[1], 0));

        Assert.Equal(0, (await queue.ProgressAsync()).SpentNanos);
    }

    [Fact]
    public async Task The_doctor_has_nothing_against_costs()
    {
        var queue = await TestQueue.CreateAsync(Store.RedisServer);
        await queue.SaveBatchAsync();
        await queue.EnqueueRowsAsync(1, 1);
        await queue.CompleteAsync(Paid(await queue.ClaimOneAsync(), 9));

        Assert.Empty((await new QueueDoctor(queue.Redis, queue.Options, TimeProvider.System).ExamineAsync(queue.Name, repair: false)).Findings);
    }

    private static ClaimedJob Paid(ClaimedJob job, long nanos) => job with { Costs = [new JobCost("main", nanos)] };
}
