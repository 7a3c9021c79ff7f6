using System.Collections.Concurrent;
using System.Text;

namespace LlmPipeline;

/// <summary>Claims that find no job and stand until there is one.</summary>
public sealed class StandingIdle
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    [Theory, ClassData(typeof(Stores))]
    public async Task The_next_job_is_given_to_who_stands_and_is_under_its_lease(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await using var idle = await Idle.ListenAsync(queue);
        var claim = await idle.StandAsync(queue);
        Assert.Equal([EnqueueOutcome.Added], await queue.EnqueueAsync(queue.Row(1, Lane.Low) with { Work = new RequestWork { Path = "/v1/embeddings", Body = "two\nlines"u8.ToArray() } }));

        var given = queue.Partition.Read(await idle.HearAsync());
        var job = Assert.Single(given.Jobs);
        Assert.Equal((queue.Row(1).Id, claim.Token, 0, 0, false), (job.Job.Id, job.Token, job.Attempts, job.Lost, job.CancelAsked));
        Assert.Equal((Lane.Low, "two\nlines"), (job.Job.Lane, Encoding.UTF8.GetString(Assert.IsType<RequestWork>(job.Job.Work).Body.Span)));
        // On a cluster the result may lie on another server.
        Assert.Equal(store != Store.Cluster, given.AreNew);
        Assert.Equal((0, 1), ((await queue.StatsAsync()).Waiting, (await queue.StatsAsync()).Inflight));
        Assert.True(await queue.RenewAsync(job, Idle.Name));
        Assert.Equal(SettleOutcome.Settled, await queue.CompleteAsync(job));
        Assert.Equal((1, 0), ((await queue.ProgressAsync()).Completed, (await queue.StatsAsync()).Inflight));
    }

    [Theory, InlineData(Store.RedisServer), InlineData(Store.Embedded)]
    public async Task A_result_that_stands_is_told_with_the_job(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        var results = new ResultStore(queue.Redis, new ResultStoreOptions(), TimeProvider.System);
        await using var idle = await Idle.ListenAsync(queue);
        await idle.StandAsync(queue, results.KeyStart);
        await results.PutAsync(new JobResult { JobId = queue.Row(1).Id, Status = ResultStatus.Completed, Response = TestQueue.Body("answer"), Meta = new ResultMeta() });
        await queue.EnqueueRowsAsync(1, 1);
        Assert.False(queue.Partition.Read(await idle.HearAsync()).AreNew);
        await idle.StandAsync(queue, results.KeyStart);
        await queue.EnqueueRowsAsync(2, 2);
        Assert.True(queue.Partition.Read(await idle.HearAsync()).AreNew);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task Who_has_waited_longest_is_the_first_and_each_claim_is_answered_once(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await using var idle = await Idle.ListenAsync(queue);
        var claims = new[] { await idle.StandAsync(queue), await idle.StandAsync(queue) };
        await idle.AgeAsync(queue, claims[1], TimeSpan.FromSeconds(1));
        await queue.EnqueueRowsAsync(1, 1);
        // One of these is there already.
        await queue.EnqueueRowsAsync(1, 2);
        await queue.EnqueueRowsAsync(3, 3);

        Assert.Equal((claims[1].Token, queue.Row(1).Id), await idle.HearWhomAsync());
        Assert.Equal((claims[0].Token, queue.Row(2).Id), await idle.HearWhomAsync());
        Assert.Equal(queue.Row(3).Id, (await queue.ClaimOneAsync()).Job.Id);
        Assert.Empty(idle.Heard);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task A_claim_that_nobody_listens_for_is_passed_over(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await using var sleeper = await WakeUps.ListenAsync(queue.Redis, queue.Partitions);
        await Idle.StandAsync(queue, "dead");
        await queue.EnqueueRowsAsync(1, 1);
        Assert.True(await sleeper.Signal.WaitAsync(0, Patience, TimeProvider.System, CancellationToken.None));
        Assert.Equal(queue.Row(1).Id, (await queue.ClaimOneAsync()).Job.Id);

        await using var idle = await Idle.ListenAsync(queue);
        await Idle.StandAsync(queue, "dead");
        var claim = await idle.StandAsync(queue);
        await queue.EnqueueRowsAsync(2, 2);
        Assert.Equal((claim.Token, queue.Row(2).Id), await idle.HearWhomAsync());
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task What_is_not_a_single_job_to_be_run_now_waits_as_ever(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await using var idle = await Idle.ListenAsync(queue);
        await queue.SaveBatchAsync();
        var claim = await idle.StandAsync(queue);
        await queue.EnqueueAsync(queue.Single("later") with { Delay = TimeSpan.FromHours(1) });
        await queue.EnqueueAsync(queue.Single("two"), queue.Single("at once"));
        await queue.EnqueueAsync(queue.Single("behind them"));
        Assert.Equal(3, (await queue.ClaimAsync()).Count);
        await queue.EnqueueAsync(queue.Single("later too") with { Delay = TimeSpan.FromHours(1) }, queue.Single("beside it"));
        await queue.ClaimOneAsync();
        await queue.Queue.PauseAsync(queue.Name);
        await queue.EnqueueAsync(queue.Single("paused"));
        await queue.Queue.ResumeAsync(queue.Name);
        await queue.ClaimOneAsync();
        await queue.EnqueueAsync(queue.Single("large") with { Work = new RequestWork { Path = "/v1/embeddings", Body = new byte[70_000] } });
        await queue.ClaimOneAsync();
        await queue.Database.SetAddAsync(queue.Keys.Cancel, "asked");
        await queue.EnqueueAsync(queue.Single("asked"));
        await queue.ClaimOneAsync();
        await queue.Queue.Batches.CancelAsync(queue.Batch);
        await queue.EnqueueRowsAsync(1, 1);
        await queue.ClaimOneAsync();
        // This is there already.
        await queue.EnqueueAsync(queue.Single("two"));
        await queue.EnqueueAsync(queue.Single("at last"));
        Assert.Equal((claim.Token, "at last"), await idle.HearWhomAsync());
        Assert.Empty(idle.Heard);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task A_claim_stands_until_the_next_one_finds_jobs_or_may_not_stand(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await using var idle = await Idle.ListenAsync(queue);
        var claim = await idle.StandAsync(queue);
        Assert.Equal((true, true), await NextAsync(true));
        await queue.EnqueueAsync(queue.Single("handed"));
        Assert.Equal((claim.Token, "handed"), await idle.HearWhomAsync());
        // The next one stands in its place.
        Assert.Equal((false, true), await NextAsync(true));
        Assert.Equal(1, await queue.Database.SortedSetLengthAsync(queue.Keys.Standing));
        await WithdrawsAsync(() => NextAsync(false));
        await WithdrawsAsync(async () =>
        {
            await queue.EnqueueAsync(queue.Single("one"), queue.Single("two"));
            return await NextAsync(true);
        });
        await WithdrawsAsync(async () =>
        {
            await queue.Queue.PauseAsync(queue.Name);
            return await NextAsync(true);
        });
        await queue.Queue.ResumeAsync(queue.Name);
        await queue.ClaimAsync();
        claim = await idle.StandAsync(queue);
        Assert.True((await queue.Partition.WithdrawAsync(claim)).IsEmpty);
        await queue.EnqueueAsync(queue.Single("last"));
        await queue.ClaimOneAsync();
        Assert.Empty(idle.Heard);

        async Task<(bool HasStood, bool Stands)> NextAsync(bool stands)
        {
            var token = queue.NewToken();
            var next = await queue.Partition.ClaimAsync(9, token, Idle.Name, stands: stands ? claim with { Token = token } : null, stood: claim);
            return (next.HasStood, next.Stands);
        }

        async Task WithdrawsAsync(Func<Task<(bool, bool)>> next)
        {
            await queue.Database.KeyDeleteAsync(queue.Keys.Standing);
            claim = await idle.StandAsync(queue);
            Assert.Equal((true, false), await next());
            Assert.False(await queue.Database.KeyExistsAsync(queue.Keys.Standing));
        }
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task An_answer_that_was_not_heard_is_learned_by_withdrawing(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await using var idle = await Idle.ListenAsync(queue);
        var claim = await idle.StandAsync(queue);
        await queue.EnqueueRowsAsync(1, 1);
        var job = Assert.Single((await queue.Partition.WithdrawAsync(claim)).Jobs);
        Assert.Equal((queue.Row(1).Id, claim.Token), (job.Job.Id, job.Token));
        Assert.False((await queue.Partition.WithdrawAsync(claim)).AreNew);
        Assert.Equal(SettleOutcome.Settled, await queue.CompleteAsync(job));
        Assert.True((await queue.Partition.WithdrawAsync(claim)).IsEmpty);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task A_claim_that_is_repeated_does_not_stand_beside_what_it_brings(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await using var idle = await Idle.ListenAsync(queue);
        // Its first answer, that it stands, was lost; the second brings jobs.
        var claim = await idle.StandAsync(queue);
        await queue.EnqueueRowsAsync(1, 2);
        var brought = await queue.Partition.ClaimAsync(5, claim.Token, Idle.Name, repeated: true, stands: claim);
        Assert.Equal((2, false), (brought.Jobs.Count, brought.Stands));
        await queue.EnqueueRowsAsync(3, 3);
        Assert.Equal(queue.Row(3).Id, (await queue.ClaimOneAsync()).Job.Id);

        // Its first answer was lost, and then a job was given to it.
        var another = await idle.StandAsync(queue);
        await queue.EnqueueRowsAsync(4, 4);
        var given = await queue.Partition.ClaimAsync(5, another.Token, Idle.Name, repeated: true, stands: another);
        Assert.Equal(queue.Row(4).Id, Assert.Single(given.Jobs).Job.Id);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task A_job_that_was_given_to_a_process_that_is_gone_waits_again(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        await using var idle = await Idle.ListenAsync(queue);
        await queue.LoseWorkerAsync(Idle.Name);
        await idle.StandAsync(queue);
        await queue.EnqueueRowsAsync(1, 1);
        await idle.HearAsync();
        // It was idle, and not heard of since: it has as long to renew as after a claim.
        Assert.Equal(0, await queue.ReclaimAsync());
        await queue.LoseWorkerAsync(Idle.Name);
        Assert.Equal(1, await queue.ReclaimAsync());
        Assert.Equal((queue.Row(1).Id, 1), ((await queue.ClaimAllAsync()).Jobs is [var job] ? (job.Job.Id, job.Lost) : default));
    }

    /// <summary>A worker's ear.</summary>
    private sealed class Idle : IAsyncDisposable
    {
        public const string Name = "idle worker";
        private const string Ear = "e0";
        private WakeUps? _wakeUps;

        public ConcurrentQueue<HandedJob> Heard { get; } = new();

        public static async Task<Idle> ListenAsync(TestQueue queue)
        {
            var idle = new Idle();
            idle._wakeUps = await WakeUps.ListenAsync(queue.Redis, queue.Partitions, ear: Ear, handed: (_, job) => idle.Heard.Enqueue(job));
            return idle;
        }

        public static async Task<StandingClaim> StandAsync(TestQueue queue, string ear, string? results = null)
        {
            var claim = new StandingClaim(queue.NewToken(), Name, ear, results);
            Assert.True((await queue.Partition.ClaimAsync(1, claim.Token, Name, stands: claim)).Stands);
            return claim;
        }

        public Task<StandingClaim> StandAsync(TestQueue queue, string? results = null) =>
            StandAsync(queue, Ear, results ?? (queue.Redis.IsCluster ? null : "result:"));

        public Task AgeAsync(TestQueue queue, StandingClaim claim, TimeSpan by) =>
            queue.Database.SortedSetAddAsync(queue.Keys.Standing, claim.Member((long)queue.Options.Lease.TotalMilliseconds), (TimeProvider.System.GetUtcNow() - by).ToUnixTimeMilliseconds());

        public async Task<HandedJob> HearAsync()
        {
            while (true)
            {
                var seen = _wakeUps!.Signal.Version;
                if (Heard.TryDequeue(out var job))
                    return job;
                Assert.True(await _wakeUps.Signal.WaitAsync(seen, Patience, TimeProvider.System, CancellationToken.None));
            }
        }

        public async Task<(string Token, string Job)> HearWhomAsync() => await HearAsync() is var job ? (job.Token, job.JobId) : default;

        public ValueTask DisposeAsync() => _wakeUps!.DisposeAsync();
    }
}
