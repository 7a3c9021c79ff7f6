namespace LlmPipeline;

public sealed class SweepingStoppedJobs
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    [Theory, ClassData(typeof(Stores))]
    public async Task They_are_taken_from_behind_others_which_keep_their_order(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        var other = queue.Batch + "1";
        await queue.SaveBatchAsync();
        Job Other(int row) => queue.Single($"{other}.{row}") with { Batch = other, Row = row };
        await queue.EnqueueAsync([.. Enumerable.Range(1, 700).SelectMany(row => new[] { Other(row), queue.Row(row) })]);
        await queue.EnqueueRowsAsync(701, 720, Lane.High);
        await queue.EnqueueAsync(queue.Row(721) with { Delay = TimeSpan.FromHours(1) }, Other(721) with { Delay = TimeSpan.FromHours(1) });
        await queue.Queue.Batches.CancelAsync(queue.Batch);

        var swept = await SweepAsync(queue);

        Assert.Equal(Enumerable.Range(1, 721).Select(row => queue.Row(row).Id).Order(), swept.Select(job => job.Job.Id).Order());
        Assert.All(swept, job => Assert.True(job.CancelAsked));
        await OnePlace.AssertAsync(queue);
        await queue.Partition.CompleteAsync([.. swept.Select(job => (job, EndState.Cancelled))]);
        Assert.Equal(new BatchProgress(721, 0, 0, 721), await queue.ProgressAsync());
        Assert.Equal(new QueueStats(700, 1, 0, 0), await queue.StatsAsync());
        List<int> rows = [];
        while (await queue.ClaimAsync() is { Count: > 0 } claimed)
            rows.AddRange(claimed.Select(job => job.Job.Row));
        Assert.Equal(Enumerable.Range(1, 700), rows);
        Assert.Empty(await SweepAsync(queue));
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task Single_jobs_are_taken_and_those_of_a_paused_queue(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueAsync(queue.Single("one"), queue.Single("two"), queue.Single("three") with { Delay = TimeSpan.FromHours(1) });
        await queue.Queue.PauseAsync(queue.Name);
        Assert.Empty(await SweepAsync(queue));
        await queue.Queue.CancelAsync(queue.Name, ["two", "three"]);

        var swept = await SweepAsync(queue);

        Assert.Equal(["three", "two"], swept.Select(job => job.Job.Id).Order());
        await OnePlace.AssertAsync(queue);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task What_is_past_its_deadline_is_taken_wherever_it_waits(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        var past = TimeProvider.System.GetUtcNow() - TimeSpan.FromSeconds(5);
        var later = past + TimeSpan.FromHours(1);
        await queue.EnqueueAsync(
            queue.Single("due") with { Deadline = past }, queue.Single("later") with { Deadline = later }, queue.Single("never"), queue.Single("ended") with { Deadline = past, Lane = Lane.High },
            queue.Single("dead") with { Deadline = past, Lane = Lane.High }, queue.Single("runs") with { Deadline = past, Lane = Lane.High },
            queue.Single("delayed") with { Deadline = past, Delay = TimeSpan.FromHours(1) });
        var claimed = await queue.ClaimAsync(3);
        await queue.CompleteAsync(claimed[0]);
        await queue.BuryAsync(claimed[1]);
        await queue.Queue.PauseAsync(queue.Name);

        var swept = await SweepAsync(queue);

        Assert.Equal(["delayed", "due"], swept.Select(job => job.Job.Id).Order());
        Assert.All(swept, job => Assert.False(job.CancelAsked));
        await OnePlace.AssertAsync(queue);
        Assert.Empty(await SweepAsync(queue));
        var until = await queue.Partition.UntilDeadlineAsync();
        Assert.InRange(until!.Value, TimeSpan.FromMinutes(50), TimeSpan.FromHours(1));
        await queue.Partition.CompleteAsync([.. swept.Append(claimed[2]).Select(job => (job, EndState.Expired))]);
        Assert.Equal(["later"], (await queue.Database.SortedSetRangeByRankAsync(queue.Partition.Keys.Deadlines)).Select(id => (string)id!));
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task A_deadline_of_an_earlier_job_is_not_one_of_a_new_job_with_its_id(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueAsync(queue.Single("again") with { Deadline = TimeProvider.System.GetUtcNow() - TimeSpan.FromSeconds(5) });
        await queue.BuryAsync(await queue.ClaimOneAsync());
        await queue.Queue.PurgeDeadAsync(queue.Name, null, null);
        await queue.EnqueueAsync(queue.Single("again"));

        Assert.Empty(await SweepAsync(queue));
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task A_sweep_whose_answer_was_lost_tells_it_again(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueRowsAsync(1, 3);
        await queue.Queue.CancelAsync(queue.Name, [queue.Row(2).Id]);
        await queue.Partition.SweepAsync("token", TestQueue.Worker, 1, 0, repeated: false);

        var (again, next) = await queue.Partition.SweepAsync("token", TestQueue.Worker, 1, 0, repeated: true);

        Assert.Equal(2, Assert.Single(again.Jobs).Job.Row);
        Assert.Equal(0, next);
        Assert.Equal(LeaseState.CancelAsked, Assert.Single(await queue.Partition.RenewAsync(TestQueue.Worker, again.Jobs)));
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task Whoever_asks_tells_the_workers_what_he_asked_to_stop(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.SaveBatchAsync();
        await queue.EnqueueRowsAsync(1, 3);
        var heard = new List<string>();
        var two = new SemaphoreSlim(0);
        await using var wakeUps = await WakeUps.ListenAsync(queue.Redis, queue.Partitions, (partition, asked) =>
        {
            Assert.Same(queue.Partition, partition);
            heard.AddRange(asked.Order());
            two.Release();
        });

        await queue.Queue.CancelAsync(queue.Name, [queue.Row(1).Id, "unknown", queue.Row(3).Id]);
        await queue.Queue.Batches.CancelAsync(queue.Batch);

        Assert.True(await two.WaitAsync(Patience) && await two.WaitAsync(Patience));
        Assert.Equal([queue.Row(1).Id, queue.Row(3).Id, queue.Batch], heard);
    }

    private static async Task<List<ClaimedJob>> SweepAsync(TestQueue queue)
    {
        var swept = new List<ClaimedJob>();
        for (var place = 0; place < QueuePartition.Places; place++)
        {
            for (var from = 0L; from >= 0;)
            {
                var (claimed, next) = await queue.Partition.SweepAsync(queue.NewToken(), TestQueue.Worker, place, from, repeated: false);
                swept.AddRange(claimed.Jobs);
                from = next;
            }
        }

        return swept;
    }
}
