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
        Assert.Equal(new DoctorFinding("counts 4 completed, 1 failed, 1 cancelled of 12 in partition 0; there are 1 completed, 1 failed, 1 cancelled of 10", queue.Batch, true), finding);
        Assert.Equal(new BatchProgress(10, 1, 1, 1), await queue.ProgressAsync());
        Assert.Empty((await ExamineAsync(queue, repair: false)).Findings);
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
