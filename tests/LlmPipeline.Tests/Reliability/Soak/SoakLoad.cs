namespace LlmPipeline;

/// <summary>
/// The load of a soak: batches, some with rows that fail, some cancelled under way. Each is checked when it has ended and then removed, so that
/// the memory of Redis has no reason to grow. Beside them single jobs in the high lane, by which the time to pick a job up is seen.
/// </summary>
internal sealed class SoakLoad(TestFleet fleet, SoakFigures figures, int seed)
{
    /// <summary>The most jobs that are not checked yet.</summary>
    public const int JobsAtOnce = (2 * Rows) + 1;

    private const int Rows = 400;
    private const int FailsEach = 20;
    private const int CancelsEach = 7;
    private readonly Random _random = new(seed);

    public async Task RunAsync(CancellationToken stop)
    {
        await Task.WhenAll(BatchesAsync(0, stop), BatchesAsync(1, stop), SinglesAsync(stop));
    }

    private async Task BatchesAsync(int series, CancellationToken stop)
    {
        for (var n = series; !stop.IsCancellationRequested; n += 2)
        {
            var batch = $"{fleet.Batch}-{n}";
            var cancels = n % CancelsEach == CancelsEach - 1;
            // What a FLUSHALL takes with it is submitted again.
            while (!await RunAsync(batch, cancels))
            {
            }

            figures.Ended(Rows);
        }
    }

    /// <summary>Runs a batch to its end and removes it; false: Redis has lost it meanwhile.</summary>
    private async Task<bool> RunAsync(string batch, bool cancels)
    {
        var flushes = figures.Flushes;
        for (var row = 1; row < Rows; row += 100)
        {
            var jobs = Enumerable.Range(row, 100).Select(r => fleet.Row(r, r % FailsEach == 0, batch)).ToList();
            await SubmitAsync(jobs);
            if (cancels && row > 200)
                await AnsweredAsync(async () => { await fleet.Queue.Batches.CancelAsync(batch); return true; });
        }

        await fleet.HoldsAsync(async () => flushes != figures.Flushes || (await ProgressAsync(batch)).Ended >= Rows, $"{batch} has ended");
        if (flushes != figures.Flushes)
            return false;
        try
        {
            await CheckAsync(batch, cancels);
        }
        catch (Exception) when (flushes != figures.Flushes)
        {
            return false;
        }

        await RemoveAsync(batch);
        return flushes == figures.Flushes;
    }

    // As submit does: an answer that was stored before a FLUSHALL may be counted after it.
    private async Task SubmitAsync(List<Job> jobs)
    {
        var outcomes = await AnsweredAsync(() => fleet.Queue.EnqueueAsync(jobs));
        var ended = jobs.Where((_, n) => outcomes[n] == EnqueueOutcome.Ended).ToList();
        if (ended.Count == 0)
            return;
        var stored = await AnsweredAsync(() => fleet.Results.StatusesAsync([.. ended.Select(job => job.Id)]));
        await AnsweredAsync(() => fleet.Queue.EnqueueAsync([.. ended.Where((_, n) => stored[n] is null)], rerunEnded: true));
    }

    private async Task SinglesAsync(CancellationToken stop)
    {
        for (var n = 1; !stop.IsCancellationRequested; n++)
        {
            var job = fleet.Row(n) with { Id = $"{fleet.Batch}-single-{n}", Batch = null, Row = 0, Lane = Lane.High };
            figures.PickedUp(await AskAsync(job));
            await AnsweredAsync(async () => { await fleet.Results.DeleteAsync([job.Id]); return true; });
            await Task.Delay(_random.Next(50, 400), CancellationToken.None);
        }
    }

    private async Task<JobResult> AskAsync(Job job)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromMinutes(3));
        while (true)
        {
            var flushes = figures.Flushes;
            await AnsweredAsync(() => fleet.Queue.EnqueueAsync([job]));
            using var again = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, figures.NextFlush);
            try
            {
                return await fleet.Results.WaitAsync(job.Id, again.Token);
            }
            catch (OperationCanceledException) when (flushes != figures.Flushes)
            {
                // Redis has lost it.
            }
        }
    }

    private Task<BatchProgress> ProgressAsync(string batch) => AnsweredAsync(async () =>
    {
        var follower = await fleet.Queue.Batches.FollowAsync(batch, [fleet.Name]);
        await follower.ReadAsync(1);
        return follower.Progress;
    });

    private async Task CheckAsync(string batch, bool cancelled)
    {
        string[] ids = [.. Enumerable.Range(1, Rows).Select(row => $"{batch}.{row}")];
        var stored = await AnsweredAsync(() => fleet.Results.StatusesAsync(ids));
        var missing = ids.Where((_, n) => stored[n] is null).ToList();
        Assert.True(missing.Count == 0, $"{missing.Count} rows have ended without a result, after {figures.Flushes} flushes: {string.Join(' ', missing.Take(20))}");
        int Count(ResultStatus status) => stored.Count(s => s == status);
        Assert.Equal(new BatchProgress(Rows, Count(ResultStatus.Completed), Count(ResultStatus.Failed), Count(ResultStatus.Cancelled)), await ProgressAsync(batch));
        if (!cancelled)
            Assert.Equal((Rows - (Rows / FailsEach), Rows / FailsEach), (Count(ResultStatus.Completed), Count(ResultStatus.Failed)));
    }

    private async Task RemoveAsync(string batch)
    {
        string[] ids = [.. Enumerable.Range(1, Rows).Select(row => $"{batch}.{row}")];
        await AnsweredAsync(() => fleet.Queue.PurgeDeadAsync(fleet.Name, ids, null));
        await AnsweredAsync(async () => { await fleet.Results.DeleteAsync(ids); return true; });
        foreach (var partition in await AnsweredAsync(() => fleet.Queue.PartitionsAsync(fleet.Name)))
            await AnsweredAsync(() => fleet.Redis.Database.KeyDeleteAsync([partition.Keys.Batch(batch), partition.Keys.Ended(batch), partition.Keys.Finished(batch)]));
    }

    private static Task<T> AnsweredAsync<T>(Func<Task<T>> call) => RedisRetry.UntilAnsweredAsync(call, TimeProvider.System);
}
