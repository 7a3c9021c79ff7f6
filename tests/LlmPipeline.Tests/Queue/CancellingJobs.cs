namespace LlmPipeline;

public sealed class CancellingJobs
{
    [Theory, ClassData(typeof(Stores))]
    public async Task A_claim_and_a_renewal_tell_who_was_asked_to_stop(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueRowsAsync(1, 4);
        var running = await queue.ClaimAsync(2);
        Assert.Equal([true, false, true], await queue.Queue.CancelAsync(queue.Name, [queue.Row(1).Id, queue.Row(9).Id, queue.Row(3).Id]));
        Assert.Equal([true], await queue.Queue.CancelAsync(queue.Name, [queue.Row(1).Id]));
        Assert.Equal([LeaseState.CancelAsked, LeaseState.Held], await queue.Partition.RenewAsync(TestQueue.Worker, running));
        Assert.Equal([true, false], (await queue.ClaimAsync()).Select(j => j.CancelAsked));
        await OnePlace.AssertAsync(queue);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task A_claim_whose_answer_was_lost_tells_it_again(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueRowsAsync(1, 2);
        await queue.Queue.CancelAsync(queue.Name, [queue.Row(2).Id]);
        await queue.Partition.ClaimAsync(2, "token", TestQueue.Worker);
        var again = await queue.Partition.ClaimAsync(2, "token", TestQueue.Worker, repeated: true);
        Assert.Equal([(1, false), (2, true)], again.Jobs.Select(j => (j.Job.Row, j.CancelAsked)).Order());
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task A_job_that_has_ended_cannot_be_cancelled(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueRowsAsync(1, 2);
        var jobs = await queue.ClaimAsync();
        await queue.CompleteAsync(jobs[0]);
        await queue.BuryAsync(jobs[1]);
        Assert.Equal([false, false], await queue.Queue.CancelAsync(queue.Name, [.. jobs.Select(j => j.Job.Id)]));
        await queue.RedriveAsync(jobs[1].Job);
        Assert.False((await queue.ClaimOneAsync()).CancelAsked);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task The_flag_goes_when_the_job_ends_whichever_way(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueRowsAsync(1, 3);
        await queue.Queue.CancelAsync(queue.Name, [queue.Row(1).Id, queue.Row(2).Id, queue.Row(3).Id]);
        var jobs = await queue.ClaimAsync();
        await queue.CompleteAsync(jobs[0], EndState.Cancelled);
        await queue.CompleteAsync(jobs[1]);
        await queue.BuryAsync(jobs[2]);
        Assert.Equal(0, await queue.Database.SetLengthAsync(queue.Keys.Cancel));
        Assert.Equal(new BatchProgress(3, 1, 1, 1), await queue.ProgressAsync());
        await OnePlace.AssertAsync(queue);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task A_delayed_job_that_is_cancelled_is_claimed_at_once(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueAsync(queue.Row(1) with { Delay = TimeSpan.FromHours(1) }, queue.Row(2));
        var running = await queue.ClaimOneAsync();
        await queue.Queue.CancelAsync(queue.Name, [queue.Row(1).Id, running.Job.Id]);
        Assert.True((await queue.ClaimOneAsync()).CancelAsked);
        await queue.RetryAsync(running, 1, TimeSpan.FromHours(1));
        Assert.True((await queue.ClaimOneAsync()).CancelAsked);
        await OnePlace.AssertAsync(queue);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task A_cancelled_batch_ends_whole_and_is_counted_once(Store store)
    {
        var queue = await TestQueue.CreateAsync(store, o => o.Partitions = 3);
        await queue.SaveBatchAsync();
        await queue.EnqueueRowsAsync(1, 300);
        await queue.EnqueueAsync([.. Enumerable.Range(301, 1200).Select(r => queue.Row(r) with { Delay = TimeSpan.FromHours(r) }), queue.Single("other")]);
        var running = await queue.Partition.ClaimAsync(5, "running", TestQueue.Worker);
        await queue.Queue.Batches.CancelAsync(queue.Batch);
        await queue.Queue.Batches.CancelAsync(queue.Batch);
        Assert.True((await queue.Queue.Batches.FindAsync(queue.Batch))!.Cancelled);
        Assert.All(
            running.Jobs.Zip(await queue.Partition.RenewAsync(TestQueue.Worker, running.Jobs)),
            p => Assert.Equal(p.First.Job.Batch is null ? LeaseState.Held : LeaseState.CancelAsked, p.Second));
        await queue.EnqueueRowsAsync(1501, 1510);
        await TestQueue.RetryAsync(queue.Partition, running.Jobs[0], TimeSpan.FromHours(1));
        await queue.Partition.CompleteAsync([.. running.Jobs.Skip(1).Select(j => (j, EndState.Completed))]);
        var paid = running.Jobs.Skip(1).Count(j => j.Job.Batch is not null);
        await queue.EndAllAsync(EndState.Cancelled);
        Assert.Equal(new BatchProgress(1510, paid, 0, 1510 - paid), await queue.Queue.Batches.ProgressAsync(queue.Batch));
        Assert.Equal(new QueueStats(0, 0, 0, 0), await queue.StatsAsync());
        foreach (var partition in queue.Partitions)
            Assert.Equal(0, await queue.Database.SortedSetLengthAsync(partition.Keys.Stopped));
        await OnePlace.AssertAsync(queue);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task Jobs_of_other_batches_are_not_asked_to_stop(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.SaveBatchAsync();
        var other = queue.Batch + "1";
        await queue.EnqueueAsync(
            queue.Row(1), queue.Single(other + ".1") with { Batch = other, Row = 1, Delay = TimeSpan.FromHours(1) }, queue.Single(other + ".2") with { Batch = other, Row = 2 });
        await queue.Queue.Batches.CancelAsync(queue.Batch);
        Assert.Equal([true, false], (await queue.ClaimAsync()).Select(j => j.CancelAsked));
        Assert.Equal(1, (await queue.StatsAsync()).Delayed);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task Running_rows_of_a_cancelled_batch_again_takes_the_request_back(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.SaveBatchAsync();
        await queue.EnqueueRowsAsync(1, 2);
        await queue.Queue.Batches.CancelAsync(queue.Batch);
        var jobs = await queue.ClaimAsync();
        await queue.CompleteAsync(jobs[0], EndState.Cancelled);
        await queue.BuryAsync(jobs[1]);
        await queue.RedriveAsync(queue.Row(2));
        Assert.False((await queue.Queue.Batches.FindAsync(queue.Batch))!.Cancelled);
        var second = await queue.ClaimOneAsync();
        Assert.False(second.CancelAsked);
        await queue.Queue.Batches.CancelAsync(queue.Batch);
        await queue.Queue.EnqueueAsync([queue.Row(1)], rerunEnded: true);
        Assert.False((await queue.Queue.Batches.FindAsync(queue.Batch))!.Cancelled);
        Assert.False((await queue.ClaimOneAsync()).CancelAsked);
        await queue.BuryAsync(second);
        await queue.Queue.Batches.CancelAsync(queue.Batch);
        await queue.Queue.RedriveDeadAsync(queue.Name, [second.Job.Id]);
        Assert.False((await queue.Queue.Batches.FindAsync(queue.Batch))!.Cancelled);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task Cancelling_a_batch_that_is_unknown_or_has_ended_does_nothing(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.Queue.Batches.CancelAsync(queue.Batch);
        Assert.Null(await queue.Queue.Batches.FindAsync(queue.Batch));
        await queue.SaveBatchAsync();
        await queue.EnqueueRowsAsync(1, 1);
        await queue.CompleteAsync(await queue.ClaimOneAsync());
        await queue.Queue.Batches.CancelAsync(queue.Batch);
        Assert.Equal(new BatchProgress(1, 1, 0, 0), await queue.Queue.Batches.ProgressAsync(queue.Batch));
        Assert.Equal(0, await queue.Database.SortedSetLengthAsync(queue.Keys.Stopped));
    }
}
