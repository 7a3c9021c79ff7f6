namespace LlmPipeline;

/// <summary>Workers whose claims stand while they are lost, late, killed, frozen or stopped.</summary>
[Trait("Category", "Slow")]
[Collection(nameof(Alone))]
public sealed class HandingJobsOver
{
    /// <summary>The first is there before any claim stands: it makes the queue known.</summary>
    private const int Rows = 7;

    [Fact]
    public async Task A_job_whose_message_is_lost_is_run_within_a_second_and_once()
    {
        await using var fleet = await TestFleet.StartAsync(latency: 0);
        await using var proxy = new TcpProxy(fleet.Server.Port);
        var worker = fleet.StartWorker(through: proxy);
        await IdleAsync(fleet, 1);
        var lost = 0;
        proxy.OnMessage = channel => !IsOfAWorker(channel) || Interlocked.Increment(ref lost) == 0;
        for (var row = 2; row <= Rows; row++)
        {
            await fleet.EnqueueAsync(row, row);
            await fleet.EndAsync(row);
            await StandsAsync(fleet, 1);
        }

        await History.CheckAsync(fleet, Rows, paidTwice: 0);
        Assert.Equal(Rows - 1, lost);
        Assert.DoesNotContain("wait again", worker.Said);
    }

    [Fact]
    public async Task A_worker_that_was_frozen_when_a_job_was_handed_to_it_does_not_pay_for_it_when_it_goes_on()
    {
        await using var fleet = await TestFleet.StartAsync(latency: 0);
        var frozen = fleet.StartWorker();
        await IdleAsync(fleet, 1);
        frozen.Freeze();
        await fleet.EnqueueAsync(2, 2);
        var stats = await fleet.Queue.StatsAsync(fleet.Name);
        Assert.Equal((0, 1), (stats.Waiting, stats.Inflight));
        var other = fleet.StartWorker();
        await fleet.EndAsync(2);
        other.Kill();
        await other.ExitedAsync(TimeSpan.FromSeconds(20));
        frozen.Thaw();
        await fleet.EnqueueAsync(3, 3);

        // Nobody but the one that was frozen is left.
        await History.CheckAsync(fleet, 3, paidTwice: 0);
        Assert.Contains("wait again", other.Said);
    }

    [Fact]
    public async Task Nothing_is_handed_to_a_worker_that_was_killed()
    {
        await using var fleet = await TestFleet.StartAsync(latency: 0);
        var workers = new[] { fleet.StartWorker(), fleet.StartWorker(), fleet.StartWorker() };
        await IdleAsync(fleet, workers.Length);
        workers[0].Kill();
        workers[1].Kill();
        await Task.WhenAll(workers[0].ExitedAsync(TimeSpan.FromSeconds(20)), workers[1].ExitedAsync(TimeSpan.FromSeconds(20)));
        for (var row = 2; row <= Rows; row++)
        {
            await fleet.EnqueueAsync(row, row);
            await fleet.EndAsync(row);
        }

        await History.CheckAsync(fleet, Rows, paidTwice: 0);
        Assert.DoesNotContain("wait again", workers[2].Said);
    }

    [Fact]
    public async Task What_was_handed_to_a_worker_as_it_stopped_is_given_to_others_at_once()
    {
        await using var fleet = await TestFleet.StartAsync(latency: 0, lease: 60);
        await using var proxy = new TcpProxy(fleet.Server.Port);
        var first = fleet.StartWorker(through: proxy);
        await IdleAsync(fleet, 1);
        proxy.OnMessage = channel =>
        {
            if (IsOfAWorker(channel))
            {
                proxy.Latency = TimeSpan.FromSeconds(1);
                first.Terminate();
            }

            return true;
        };
        await fleet.EnqueueAsync(2, 2);
        Assert.Equal(0, await first.ExitedAsync(TimeSpan.FromSeconds(60)));
        var stats = await fleet.Queue.StatsAsync(fleet.Name);
        var second = fleet.StartWorker();

        Assert.Equal((1, 0), (stats.Waiting, stats.Inflight));
        await History.CheckAsync(fleet, 2, paidTwice: 0);
        Assert.DoesNotContain("wait again", second.Said);
    }

    private static bool IsOfAWorker(string channel) => channel.Contains(":wake:", StringComparison.Ordinal);

    /// <summary>Has the first row run, and waits until all workers have nothing to do.</summary>
    private static async Task IdleAsync(TestFleet fleet, int workers)
    {
        await fleet.EnqueueAsync(1, 1);
        await fleet.EndAsync(1);
        await StandsAsync(fleet, workers);
    }

    private static Task StandsAsync(TestFleet fleet, int claims) => fleet.HoldsAsync(
        async () => await fleet.Redis.Database.SortedSetLengthAsync(new QueueKeys("", fleet.Name, 0).Standing) == claims, $"{claims} claims stand");
}
