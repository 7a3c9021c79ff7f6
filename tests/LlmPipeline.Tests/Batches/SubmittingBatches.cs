namespace LlmPipeline.Tests;

/// <summary><see cref="BatchSubmitter"/> on a real Redis.</summary>
public sealed class SubmittingBatches
{
    [Fact]
    public async Task A_submitter_waits_for_room_and_counts_each_row_once()
    {
        const int Rows = 1300;
        var queue = await TestQueue.CreateAsync(Store.RedisServer, options => options.MaxWaiting = 100);
        var submitter = new BatchSubmitter(queue.Queue, Results(queue), TimeProvider.System);
        using var stop = new CancellationTokenSource();
        var draining = DrainAsync(queue, stop.Token);

        var counts = await submitter.SubmitAsync(Info(queue, Rows), JobsAsync(queue, Rows)).WaitAsync(TimeSpan.FromSeconds(60));

        Assert.Equal(new SubmittedRows(Rows, 0, 0), counts);
        Assert.True((await queue.Queue.Batches.FindAsync(queue.Batch))!.Sealed);
        await Eventually.HoldsAsync(async () => (await queue.ProgressAsync()).Completed == Rows, "each row has ended once");
        await stop.CancelAsync();
        await draining;
    }

    [Fact]
    public async Task Or_it_says_how_many_rows_there_was_room_for()
    {
        var queue = await TestQueue.CreateAsync(Store.RedisServer, options => options.MaxWaiting = 100);
        var submitter = new BatchSubmitter(queue.Queue, Results(queue), TimeProvider.System) { WhenFull = WhenFull.Throw };

        var full = await Assert.ThrowsAsync<BatchFullException>(() => submitter.SubmitAsync(Info(queue, 1300), JobsAsync(queue, 1300)));

        Assert.InRange(full.Rows, 100, 1000);
        Assert.Equal(full.Rows, (await queue.ProgressAsync()).Expected);
        Assert.False((await queue.Queue.Batches.FindAsync(queue.Batch))!.Sealed);
    }

    [Fact]
    public async Task Rows_without_their_results_run_again_and_the_others_do_not()
    {
        var queue = await TestQueue.CreateAsync(Store.RedisServer);
        var results = Results(queue);
        var submitter = new BatchSubmitter(queue.Queue, results, TimeProvider.System);
        await submitter.SubmitAsync(Info(queue, 3), JobsAsync(queue, 3));
        foreach (var job in await queue.ClaimAsync())
        {
            if (job.Job.Row < 3)
                await results.PutAsync(Completion(job.Job.Id, AnswerFlags.None));
            await queue.CompleteAsync(job);
        }

        var counts = await submitter.SubmitAsync(Info(queue, 3), JobsAsync(queue, 3));

        Assert.Equal(new SubmittedRows(1, 0, 2), counts);
        Assert.Equal(3, (await queue.ClaimOneAsync()).Job.Row);
    }

    [Fact]
    public async Task The_answers_of_a_simulator_are_replaced_where_that_is_asked_for()
    {
        var queue = await TestQueue.CreateAsync(Store.RedisServer);
        var results = Results(queue);
        await new BatchSubmitter(queue.Queue, results, TimeProvider.System).SubmitAsync(Info(queue, 2), JobsAsync(queue, 2));
        foreach (var job in await queue.ClaimAsync())
        {
            await results.PutAsync(Completion(job.Job.Id, job.Job.Row == 1 ? AnswerFlags.Simulated : AnswerFlags.None));
            await queue.CompleteAsync(job);
        }

        await queue.Queue.Batches.MarkSimulatedAsync(queue.Batch);
        Assert.Equal(new SubmittedRows(0, 0, 2), await new BatchSubmitter(queue.Queue, results, TimeProvider.System).SubmitAsync(Info(queue, 2), JobsAsync(queue, 2)));
        Assert.True((await queue.Queue.Batches.FindAsync(queue.Batch))!.Simulated);

        var counts = await new BatchSubmitter(queue.Queue, results, TimeProvider.System) { ReplaceSimulated = true }.SubmitAsync(Info(queue, 2), JobsAsync(queue, 2));

        Assert.Equal(new SubmittedRows(1, 0, 1), counts);
        Assert.Equal(1, (await queue.ClaimOneAsync()).Job.Row);
        Assert.False((await queue.Queue.Batches.FindAsync(queue.Batch))!.Simulated);
    }

    [Fact]
    public async Task What_is_known_of_a_batch_stays_when_its_first_rows_are_submitted_again()
    {
        var queue = await TestQueue.CreateAsync(Store.RedisServer);
        var submitter = new BatchSubmitter(queue.Queue, Results(queue), TimeProvider.System);
        await submitter.SubmitAsync(Info(queue, 4), JobsAsync(queue, 4));
        var before = await queue.Queue.Batches.FindAsync(queue.Batch);

        var announced = await submitter.AnnounceAsync(Info(queue, 2) with { Queues = ["another"] });

        Assert.Equal((4, true, before!.Created), (announced.Rows, announced.Sealed, announced.Created));
        Assert.Equal(["another", queue.Name], announced.Queues);
        Assert.False((await submitter.AnnounceAsync(Info(queue, 5))).Sealed);
    }

    [Fact]
    public async Task A_reader_gets_rows_as_they_end_until_no_more_come()
    {
        var queue = await TestQueue.CreateAsync(Store.RedisServer);
        var results = Results(queue);
        // A run that had the answers of the other rows submits only these.
        await new BatchSubmitter(queue.Queue, results, TimeProvider.System).SubmitAsync(Info(queue, 5), JobsAsync(queue, 3));
        var reader = new BatchReader(queue.Queue, results, (await queue.Queue.Batches.FindAsync(queue.Batch))!, TimeProvider.System);
        var next = reader.NextAsync();
        var first = await queue.ClaimOneAsync();
        await queue.CompleteAsync(first);
        Assert.Equal([first.Job.Row], (await next.WaitAsync(TimeSpan.FromSeconds(30)))!);
        foreach (var job in await queue.ClaimAsync())
            await queue.CompleteAsync(job);

        Assert.Equal(2, (await reader.NextAsync().WaitAsync(TimeSpan.FromSeconds(30)))!.Count);
        Assert.Null(await reader.NextAsync().WaitAsync(TimeSpan.FromSeconds(30)));
        Assert.Equal((3, 3), (reader.Progress.Expected, reader.Progress.Completed));
    }

    private static ResultStore Results(TestQueue queue) => new(queue.Redis, new ResultStoreOptions(), TimeProvider.System);

    private static BatchInfo Info(TestQueue queue, int rows) => new() { Id = queue.Batch, Rows = rows, Queues = [queue.Name] };

    private static async IAsyncEnumerable<Job> JobsAsync(TestQueue queue, int rows)
    {
        await Task.CompletedTask;
        for (var row = 1; row <= rows; row++)
            yield return queue.Row(row);
    }

    private static async Task DrainAsync(TestQueue queue, CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            var jobs = await queue.ClaimAsync();
            if (jobs.Count > 0)
                await queue.Partition.CompleteAsync([.. jobs.Select(job => (job, EndState.Completed))]);
            else
                await Task.Delay(5, CancellationToken.None);
        }
    }

    private static JobResult Completion(string id, AnswerFlags flags) => new()
    {
        JobId = id,
        Status = ResultStatus.Completed,
        Response = TestQueue.Body("text"),
        Meta = new ResultMeta { StatusCode = 200, Flags = flags },
    };
}
