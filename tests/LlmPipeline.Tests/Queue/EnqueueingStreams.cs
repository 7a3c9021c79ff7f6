namespace LlmPipeline;

public sealed class EnqueueingStreams
{
    [Theory, ClassData(typeof(Stores))]
    public async Task Each_job_of_a_stream_is_told_what_became_of_it_and_all_wait_in_their_order(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueRowsAsync(700, 702);
        await queue.CompleteAsync(await queue.ClaimOneAsync());
        Job[] jobs = [.. Rows(queue, 1, 2203), queue.Single("single")];
        var told = await queue.Queue.EnqueueAsync(jobs.ToAsyncEnumerable()).ToListAsync();
        Assert.Equal(jobs, told.Select(t => t.Job));
        Assert.Equal(
            jobs.Select(j => j.Row switch { 700 => EnqueueOutcome.Ended, 701 or 702 => EnqueueOutcome.AlreadyThere, _ => EnqueueOutcome.Added }), told.Select(t => t.Outcome));
        var rows = new List<int>();
        while (await queue.ClaimAsync() is { Count: > 0 } claimed)
            rows.AddRange(claimed.Select(c => c.Job.Row));
        Assert.Equal([701, 702, .. Enumerable.Range(1, 699), .. Enumerable.Range(703, 1501), 0], rows);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task Ended_rows_of_a_stream_run_again_when_that_is_asked(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.EnqueueRowsAsync(1, 300);
        await queue.EndAllAsync(EndState.Completed);
        Assert.All(await queue.Queue.EnqueueAsync(Rows(queue, 1, 300).ToAsyncEnumerable()).ToListAsync(), t => Assert.Equal(EnqueueOutcome.Ended, t.Outcome));
        Assert.All(await queue.Queue.EnqueueAsync(Rows(queue, 1, 300).ToAsyncEnumerable(), rerunEnded: true).ToListAsync(), t => Assert.Equal(EnqueueOutcome.Added, t.Outcome));
        Assert.Equal(300, (await queue.StatsAsync()).Waiting);
    }

    [Fact]
    public async Task A_job_that_is_refused_ends_the_stream_and_what_was_before_its_group_waits()
    {
        var queue = await TestQueue.CreateAsync(Store.RedisServer);
        Job[] jobs = [.. Rows(queue, 1, 600), queue.Single("a{b"), .. Rows(queue, 601, 2000)];
        await Assert.ThrowsAsync<ArgumentException>(() => queue.Queue.EnqueueAsync(jobs.ToAsyncEnumerable()).ToListAsync().AsTask());
        // Of the group with the refused job none, of those behind it what had been read ahead, and nothing comes after.
        var waiting = (await queue.StatsAsync()).Waiting;
        Assert.InRange(waiting, 500, 1250);
        Assert.Equal(0, (waiting - 500) % 250);
    }

    [Fact]
    public async Task A_stream_that_is_not_asked_for_more_is_read_no_further()
    {
        var queue = await TestQueue.CreateAsync(Store.RedisServer);
        var read = 0;
        await foreach (var (_, outcome) in queue.Queue.EnqueueAsync(Rows(queue, 1, 10_000).Select(job => Counted(job)).ToAsyncEnumerable()))
        {
            Assert.Equal(EnqueueOutcome.Added, outcome);
            break;
        }

        Assert.Equal(1000, read);
        Assert.Equal(1000, (await queue.StatsAsync()).Waiting);

        Job Counted(Job job)
        {
            read++;
            return job;
        }
    }

    private static IEnumerable<Job> Rows(TestQueue queue, int from, int to) => Enumerable.Range(from, to - from + 1).Select(row => queue.Row(row));
}
