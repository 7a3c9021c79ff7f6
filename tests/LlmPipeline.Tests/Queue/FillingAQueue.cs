namespace LlmPipeline;

public sealed class FillingAQueue
{
    [Theory, ClassData(typeof(Stores))]
    public async Task A_full_queue_takes_nothing_new_and_knows_what_is_there(Store store)
    {
        var queue = await TestQueue.CreateAsync(store, o => o.MaxWaiting = 3);
        Assert.All(await queue.EnqueueRowsAsync(1, 3), o => Assert.Equal(EnqueueOutcome.Added, o));
        Assert.Equal(
            [EnqueueOutcome.AlreadyThere, EnqueueOutcome.Full, EnqueueOutcome.Full],
            await queue.EnqueueAsync(queue.Row(1), queue.Row(4), queue.Row(5) with { Delay = TimeSpan.FromHours(1) }));
        Assert.Equal(new BatchProgress(3, 0, 0, 0), await queue.ProgressAsync());
        var job = await queue.ClaimOneAsync();
        Assert.Equal([EnqueueOutcome.Added], await queue.EnqueueAsync(queue.Row(4)));
        await queue.CompleteAsync(job);
        Assert.Equal([EnqueueOutcome.Ended, EnqueueOutcome.Full], await queue.EnqueueAsync(queue.Row(1), queue.Row(5)));
        Assert.Equal(new BatchProgress(4, 1, 0, 0), await queue.ProgressAsync());
        await OnePlace.AssertAsync(queue);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task Each_partition_has_its_share(Store store)
    {
        var queue = await TestQueue.CreateAsync(store, o => (o.Partitions, o.MaxWaiting) = (4, 40));
        var taken = 0;
        for (var row = 1; row <= 200; row++)
            taken += Assert.Single(await queue.EnqueueAsync(queue.Row(row))) == EnqueueOutcome.Added ? 1 : 0;
        Assert.Equal(40, taken);
        Assert.Equal(40, (await queue.StatsAsync()).Waiting);
    }

    [Fact]
    public void The_same_key_is_the_same_job()
    {
        Assert.Equal(Job.IdFor("order 7"), Job.IdFor("order 7"));
        Assert.NotEqual(Job.IdFor("order 7"), Job.IdFor("order 8"));
        Assert.Null(Names.Fault(Job.IdFor("{any}\ntext " + new string('é', 1000))));
        Assert.Throws<ArgumentException>(() => Job.IdFor(""));
    }
}
