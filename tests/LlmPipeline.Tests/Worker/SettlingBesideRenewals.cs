using Microsoft.Extensions.Logging.Abstractions;

namespace LlmPipeline;

/// <summary>What a renewal tells of jobs whose claims this process is ending: <see cref="LeaseKeeper"/> beside <see cref="Settler"/>.</summary>
public sealed class SettlingBesideRenewals
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task A_job_that_is_settled_and_whose_answer_is_late_has_not_lost_its_lease()
    {
        await using var proxy = new TcpProxy((await RedisServer.SharedAsync()).Port);
        await using var redis = await Stores.ConnectAsync(proxy.Address);
        var queue = await TestQueue.CreateAsync(redis);
        await queue.EnqueueRowsAsync(1, 2);
        // Redis knows the script from now on.
        await queue.CompleteAsync(await queue.ClaimOneAsync());
        var owner = new Owner();
        var held = new HeldJob(await queue.ClaimOneAsync(), queue.Partition, owner);
        await using var leases = Leases(redis, queue);
        leases.Add(held);
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var mayPass = new ManualResetEventSlim();
        proxy.OnAnswer = call => call.Verb != "complete" || (done.TrySetResult() && mayPass.Wait(Patience));

        await using (var settler = new Settler(TimeProvider.System, NullLogger<Settler>.Instance, CancellationToken.None))
        {
            settler.Settle(Settlement.With(ResultStatus.Completed, held, []));
            await done.Task.WaitAsync(Patience);
            await leases.LookAsync(queue.Partition, [held.Claim.Job.Id]).WaitAsync(Patience);
            mayPass.Set();
        }

        Assert.True(owner.HasEnded);
        Assert.False(held.Lost);
    }

    [Fact]
    public async Task A_job_that_somebody_else_has_taken_has_lost_its_lease()
    {
        var redis = await Stores.ConnectAsync((await RedisServer.SharedAsync()).Address);
        await using var close = redis;
        var queue = await TestQueue.CreateAsync(redis);
        await queue.EnqueueRowsAsync(1, 1);
        var held = new HeldJob(await queue.ClaimOneAsync(), queue.Partition, new Owner());
        await using var leases = Leases(redis, queue);
        leases.Add(held);
        await queue.ExpireAsync(held.Claim);
        await queue.ReclaimAsync();

        await leases.LookAsync(queue.Partition, [held.Claim.Job.Id]);

        Assert.True(held.Lost);
    }

    [Fact]
    public async Task A_job_that_is_claimed_again_before_its_last_claim_has_ended_here_is_renewed()
    {
        await using var redis = await Stores.ConnectAsync((await RedisServer.SharedAsync()).Address);
        var queue = await TestQueue.CreateAsync(redis);
        await queue.EnqueueRowsAsync(1, 1);
        var first = new HeldJob(await queue.ClaimOneAsync(), queue.Partition, new Owner());
        await using var leases = Leases(redis, queue);
        leases.Add(first);
        await queue.ReleaseAsync(first.Claim);
        var second = new HeldJob(await queue.ClaimOneAsync(), queue.Partition, new Owner());

        leases.Add(second);
        leases.Remove(first);

        Assert.Same(second, Assert.Single(leases.All()));
    }

    private static LeaseKeeper Leases(RedisConnections redis, TestQueue queue) =>
        new(redis.Restored, queue.Options, new WorkerOptions { Name = TestQueue.Worker }, TimeProvider.System, NullLogger<LeaseKeeper>.Instance);

    private sealed class Owner : IJobOwner
    {
        public bool HasEnded { get; private set; }

        public ValueTask<bool> EnterAsync(HeldJob job) => ValueTask.FromResult(true);

        public void Called(HeldJob job, bool isAnswered)
        {
        }

        public void Stored(string flow, int answers, long bytes)
        {
        }

        public void Ended(HeldJob job) => HasEnded = true;
    }
}
