using StackExchange.Redis;

namespace LlmPipeline;

public sealed class CallingTheDoctor
{
    [Theory, ClassData(typeof(Stores))]
    public async Task A_healthy_queue_has_no_findings_wherever_its_jobs_are(Store store)
    {
        var queue = await TestQueue.CreateAsync(store, o => o.Partitions = 2);
        await queue.SaveBatchAsync();
        await queue.EnqueueRowsAsync(1, 1500);
        await queue.EnqueueAsync(queue.Row(2000) with { Delay = TimeSpan.FromHours(1) }, queue.Single(queue.Batch), queue.Single("other.1"));
        var jobs = (await queue.Partition.ClaimAsync(40, "token", TestQueue.Worker)).Jobs;
        await queue.Partition.CompleteAsync([.. jobs.Take(10).Select(j => (j, EndState.Completed))]);
        await queue.Partition.BuryAsync([.. jobs.Skip(10).Take(10)]);
        await queue.Partition.RetryAsync([.. jobs.Skip(20).Take(10).Select(j => (j, 1, TimeSpan.FromHours(1)))]);
        await queue.Queue.CancelAsync(queue.Name, [jobs[35].Job.Id]);
        var report = await ExamineAsync(queue, repair: true);
        Assert.Empty(report.Findings);
        Assert.Equal(1493, report.Jobs);
        await OnePlace.AssertAsync(queue);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task What_is_wrong_with_a_job_is_found_and_mended(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        var (database, keys) = (queue.Database, queue.Keys);
        await queue.EnqueueRowsAsync(1, 9);
        var jobs = await queue.ClaimAsync(6);
        string Id(int row) => queue.Row(row).Id;
        await database.ListRightPushAsync(keys.Waiting[2], Id(1));
        await database.HashDeleteAsync(keys.Leases, Id(2));
        await database.SortedSetRemoveAsync(keys.Inflight, Id(3));
        await database.HashDeleteAsync(keys.Jobs, Id(4));
        await queue.BuryAsync(jobs[4]);
        await database.HashSetAsync(keys.Leases, Id(5), "|1|0|");
        await database.SortedSetAddAsync(keys.Dead, Id(6), 1);
        await database.ListRightPushAsync(keys.Waiting[1], Id(7));
        await database.HashSetAsync(keys.Leases, Id(8), "token|3|1|worker");
        await database.SortedSetAddAsync(keys.Delayed, Id(9), 9_000_000_000_000);
        await database.HashSetAsync(keys.Leases, "gone", "|1|0|");
        await database.SetAddAsync(keys.Cancel, "away");
        string[] told =
        [
            Id(1) + " is in more than one place: waiting and in flight", Id(2) + " is in flight without a token", Id(3) + " is in no place: nobody would ever run it",
            Id(4) + " is in flight without an envelope: there is nothing to run", Id(6) + " is in more than one place: in flight and dead",
            Id(7) + " is in more than one place: waiting and waiting", Id(8) + " has the token of a claim and is waiting",
            Id(9) + " is in more than one place: waiting and delayed", "away was asked to stop and is gone", "gone has a lease and is gone",
        ];
        var report = await ExamineAsync(queue, repair: false);
        Assert.Equal(told.Order(), report.Findings.Select(f => $"{f.Id} {f.What}").Order());
        Assert.DoesNotContain(report.Findings, f => f.Repaired);
        report = await ExamineAsync(queue, repair: true);
        Assert.Equal(told.Order(), report.Findings.Select(f => $"{f.Id} {f.What}").Order());
        Assert.All(report.Findings, f => Assert.True(f.Repaired));
        Assert.Empty((await ExamineAsync(queue, repair: false)).Findings);
        await database.HashDeleteAsync(keys.Leases, Id(5));
        await OnePlace.AssertAsync(queue);
        Assert.Equal(new QueueStats(5, 0, 2, 1), await queue.StatsAsync());
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task Counts_that_do_not_agree_with_what_has_ended_are_put_right(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.SaveBatchAsync();
        await queue.EnqueueRowsAsync(1, 10);
        var jobs = await queue.ClaimAsync(3);
        await queue.CompleteAsync(jobs[0]);
        await queue.BuryAsync(jobs[1]);
        await queue.CompleteAsync(jobs[2], EndState.Cancelled);
        await queue.Database.HashSetAsync(queue.Keys.Batch(queue.Batch), [new HashEntry("completed", 4), new HashEntry("expected", 12)]);
        var finding = Assert.Single((await ExamineAsync(queue, repair: true)).Findings);
        Assert.Equal(new DoctorFinding("counts 4 completed, 1 failed, 1 cancelled of 12 in partition 0; there are 1 completed, 1 failed, 1 cancelled of 10: 2 rows are gone", queue.Batch, true), finding);
        Assert.Equal(new BatchProgress(10, 1, 1, 1), await queue.ProgressAsync());
        Assert.Empty((await ExamineAsync(queue, repair: false)).Findings);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task Rows_that_are_gone_are_told_until_they_are_submitted_again(Store store)
    {
        var queue = await TestQueue.CreateAsync(store, options => (options.Partitions, options.KeyPrefix) = (2, Stores.NewName("app") + ":"));
        var doctor = new QueueDoctor(queue.Redis, queue.Options, TimeProvider.System);
        var submitter = new BatchSubmitter(queue.Queue, new ResultStore(queue.Redis, new ResultStoreOptions { KeyPrefix = queue.Options.KeyPrefix }, TimeProvider.System), TimeProvider.System);
        var batch = new BatchInfo { Id = queue.Batch, Rows = 10, Queues = [queue.Name], Created = TimeProvider.System.GetUtcNow() };
        await submitter.SubmitAsync(batch, Rows(10));
        await queue.Partition.CompleteAsync([.. (await queue.Partition.ClaimAsync(1, "token", TestQueue.Worker)).Jobs.Select(job => (job, EndState.Completed))]);
        Assert.Empty(await doctor.FindLostRowsAsync());
        var lost = Enumerable.Range(1, 10).Count(row => queue.Partitions[1].Holds(queue.Row(row).Id));
        Assert.InRange(lost, 1, 9);

        await queue.Database.KeyDeleteAsync(queue.Partitions[1].Keys.Jobs);
        Assert.Contains((await ExamineAsync(queue, repair: false)).Findings, finding => finding.Id == queue.Batch && finding.What.EndsWith($": {lost} rows are gone", StringComparison.Ordinal));
        Assert.All((await ExamineAsync(queue, repair: true)).Findings, finding => Assert.True(finding.Repaired));
        Assert.Empty((await ExamineAsync(queue, repair: true)).Findings);
        var finding = new DoctorFinding($"{lost} of 10 rows are neither on a queue nor ended: they are gone; submitting the file again runs them", queue.Batch, false);
        Assert.Equal([finding], await doctor.FindLostRowsAsync());

        await submitter.SubmitAsync(batch, Rows(10));
        Assert.Empty(await doctor.FindLostRowsAsync());
        Assert.Empty((await ExamineAsync(queue, repair: false)).Findings);

        // All but the batch itself; and one whose number of rows an earlier version has not saved.
        foreach (var key in queue.Partitions.SelectMany(partition => partition.Keys.All.Append(partition.Keys.Batch(queue.Batch)).Append(partition.Keys.Ended(queue.Batch))))
            await queue.Database.KeyDeleteAsync(key);
        await queue.Queue.Batches.SaveAsync(batch with { Id = queue.Batch + "-old", Rows = 3, Sealed = true });
        Assert.Equal(
            [
                (queue.Batch, "10 of 10 rows are neither on a queue nor ended: they are gone; submitting the file again runs them"),
                (queue.Batch + "-old", "3 of 3 rows are neither on a queue nor ended: they are gone, or a run had their answers; submitting the file again runs them"),
            ],
            (await doctor.FindLostRowsAsync()).Select(one => (one.Id!, one.What)).Order());

        async IAsyncEnumerable<Job> Rows(int count)
        {
            for (var row = 1; row <= count; row++)
                yield return await Task.FromResult(queue.Row(row));
        }
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task A_lowered_expectation_of_an_earlier_batch_is_kept_as_rows_that_are_gone(Store store)
    {
        var queue = await TestQueue.CreateAsync(store, options => (options.Partitions, options.KeyPrefix) = (1, Stores.NewName("app") + ":"));
        await queue.SaveBatchAsync();
        await queue.EnqueueRowsAsync(1, 4);
        await queue.Database.HashDeleteAsync(queue.Keys.Jobs, [queue.Row(2).Id, queue.Row(3).Id]);
        await ExamineAsync(queue, repair: true);
        Assert.Equal(2, (await queue.Queue.Batches.ProgressAsync(queue.Batch)).Expected);
        var finding = Assert.Single(await new QueueDoctor(queue.Redis, queue.Options, TimeProvider.System).FindLostRowsAsync());
        Assert.StartsWith("2 of 4 rows", finding.What, StringComparison.Ordinal);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task A_queue_at_work_has_no_findings(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await queue.SaveBatchAsync();
        await queue.EnqueueRowsAsync(1, 2000);
        var work = queue.EndAllAsync(EndState.Cancelled);
        do
        {
            Assert.Empty((await ExamineAsync(queue, repair: true)).Findings);
        }
        while (!work.IsCompleted);
        await work;
        Assert.Equal(new BatchProgress(2000, 2000, 0, 0), await queue.ProgressAsync());
        Assert.Equal(0, (await ExamineAsync(queue, repair: false)).Jobs);
    }

    private static Task<DoctorReport> ExamineAsync(TestQueue queue, bool repair) =>
        new QueueDoctor(queue.Redis, queue.Options, TimeProvider.System).ExamineAsync(queue.Name, repair, CancellationToken.None);
}
