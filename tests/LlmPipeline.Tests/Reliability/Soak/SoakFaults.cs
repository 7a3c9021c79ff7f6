namespace LlmPipeline;

/// <summary>One fault after the other, in random order, each mended before the next.</summary>
internal sealed class SoakFaults(TestFleet fleet, SoakWorkers workers, SteppedClock clock, SoakFigures figures, int seed)
{
    private static readonly string[] Verbs = ["claim", "renew", "put", "complete", "retry", "bury", "reclaim", "statuses"];
    private static readonly string[] Denied = ["-evalsha", "-@write", "resetkeys", "resetchannels"];
    private static readonly TimeSpan PastItsLeases = TimeSpan.FromSeconds(6.5);
    private readonly Random _random = new(seed);

    public async Task RunAsync(CancellationToken stop)
    {
        (string Name, Func<int, Task> Do)[] faults =
        [
            ("worker killed", KillAsync), ("worker killed", KillAsync), ("worker frozen past its leases", FreezeAsync), ("worker terminated", TerminateAsync),
            ("redis-server killed", KillRedisAsync), ("connections reset", CutAsync), ("answer lost", LoseAnswerAsync), ("answers 200 ms late", DelayAsync),
            ("connections silent for 3 s", SilenceAsync), ("SCRIPT FLUSH", FlushAsync), ("queue paused", PauseAsync), ("Redis out of memory", OutOfMemoryAsync),
            ("Redis' clock stepped", StepClockAsync), ("workers denied", DenyAsync), ("FLUSHALL", FlushAllAsync),
        ];
        while (true)
        {
            _random.Shuffle(faults);
            foreach (var (name, fault) in faults)
            {
                await Task.Delay(_random.Next(300, 1500), CancellationToken.None);
                if (stop.IsCancellationRequested)
                    return;
                figures.Fault(name);
                // The first worker is left alive.
                await fault(_random.Next(1, workers.Count));
            }
        }
    }

    private async Task KillAsync(int worker)
    {
        var name = await workers.NameAsync(worker);
        figures.MayBePaidTwice(SoakWorkers.Concurrency);
        workers[worker].Kill();
        await workers[worker].ExitedAsync(TimeSpan.FromSeconds(10));
        var killed = TimeProvider.System.GetTimestamp();
        workers.Replace(worker);
        if (!await HoldsAnyAsync(name))
            return;
        await fleet.HoldsAsync(async () => !await HoldsAnyAsync(name), "what a dead worker held is taken back");
        figures.Recovered(TimeProvider.System.GetElapsedTime(killed));
    }

    private async Task<bool> HoldsAnyAsync(string name)
    {
        foreach (var partition in await RedisRetry.UntilAnsweredAsync(() => fleet.Queue.PartitionsAsync(fleet.Name), TimeProvider.System))
        {
            var leases = await RedisRetry.UntilAnsweredAsync(() => fleet.Redis.Database.HashValuesAsync(partition.Keys.Leases), TimeProvider.System);
            if (leases.Any(lease => ((string)lease!).Split('|')[3] == name))
                return true;
        }

        return false;
    }

    private async Task FreezeAsync(int worker)
    {
        // One that met a Redis that refuses it when it began has ended.
        await workers.NameAsync(worker);
        figures.MayBePaidTwice(SoakWorkers.Concurrency);
        workers[worker].Freeze();
        await Task.Delay(PastItsLeases);
        workers[worker].Thaw();
    }

    private async Task TerminateAsync(int worker)
    {
        // It must have begun: before that, a signal just ends it.
        await workers.NameAsync(worker);
        workers[worker].Terminate();
        Assert.Equal(0, await workers[worker].ExitedAsync(TimeSpan.FromSeconds(60)));
        workers.Replace(worker);
    }

    private async Task KillRedisAsync(int worker)
    {
        await fleet.Server.KillAsync();
        await Task.Delay(_random.Next(0, 1500));
        await fleet.Server.RestartAsync();
    }

    private Task CutAsync(int worker)
    {
        workers.Proxies[worker].Cut();
        return Task.CompletedTask;
    }

    private async Task LoseAnswerAsync(int worker)
    {
        var verb = Verbs[_random.Next(Verbs.Length)];
        var lost = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        workers.Proxies[worker].OnAnswer = call => call.Verb != verb || !lost.TrySetResult();
        // Seldom ones may not come in this time.
        await Task.WhenAny(lost.Task, Task.Delay(2000));
        workers.Proxies[worker].OnAnswer = null;
    }

    private async Task DelayAsync(int worker)
    {
        workers.Proxies[worker].Latency = TimeSpan.FromMilliseconds(200);
        await Task.Delay(2000);
        workers.Proxies[worker].Latency = TimeSpan.Zero;
    }

    private async Task SilenceAsync(int worker)
    {
        // Long enough for its leases to be given to others.
        figures.MayBePaidTwice(SoakWorkers.Concurrency);
        workers.Proxies[worker].Freeze();
        await Task.Delay(3000);
        workers.Proxies[worker].Thaw();
    }

    private Task FlushAsync(int worker) => AnsweredAsync("SCRIPT", "FLUSH");

    private async Task FlushAllAsync(int worker)
    {
        // All rows of both batches and the single job may have been paid, and are called again.
        figures.MayBePaidTwice(SoakLoad.JobsAtOnce);
        // Before it, so that whoever misses something knows why, and after it, so that what was submitted just before is submitted again.
        figures.CountFlush();
        await AnsweredAsync("FLUSHALL");
        figures.CountFlush();
    }

    private async Task PauseAsync(int worker)
    {
        await RedisRetry.UntilAnsweredAsync(() => fleet.Queue.PauseAsync(fleet.Name), TimeProvider.System);
        await Task.Delay(_random.Next(200, 1500));
        await RedisRetry.UntilAnsweredAsync(() => fleet.Queue.ResumeAsync(fleet.Name), TimeProvider.System);
    }

    private async Task OutOfMemoryAsync(int worker)
    {
        await AnsweredAsync("CONFIG", "SET", "maxmemory", "1");
        await Task.Delay(_random.Next(200, 1500));
        await AnsweredAsync("CONFIG", "SET", "maxmemory", "0");
    }

    private async Task StepClockAsync(int worker)
    {
        clock.Set(TimeSpan.FromHours(_random.Next(-1, 2)));
        await Task.Delay(_random.Next(500, 3000));
    }

    private async Task DenyAsync(int worker)
    {
        await AnsweredAsync("ACL", "SETUSER", SoakWorkers.User, Denied[_random.Next(Denied.Length)]);
        await Task.Delay(_random.Next(200, 1500));
        await AnsweredAsync("ACL", "SETUSER", SoakWorkers.User, "+@all", "allkeys", "allchannels");
    }

    private Task AnsweredAsync(params string[] words) => RedisRetry.UntilAnsweredAsync(() => fleet.TellRedisAsync(words), TimeProvider.System);
}
