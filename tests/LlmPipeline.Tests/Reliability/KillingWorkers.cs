namespace LlmPipeline;

[Trait("Category", "Slow")]
public sealed class KillingWorkers
{
    [Fact]
    public async Task Ten_kills_at_random_under_load_lose_nothing_and_cost_no_more_than_was_in_flight()
    {
        const int Rows = 4000;
        const int Kills = 10;
        const int Concurrency = 16;
        await using var fleet = await TestFleet.StartAsync(latency: 60, lease: 3);
        for (var row = 1; row < Rows; row += 500)
            await fleet.EnqueueAsync(row, row + 499);
        var random = new Random(11);
        var workers = Enumerable.Range(0, 3).Select(_ => fleet.StartWorker(Concurrency)).ToArray();
        for (var kill = 1; kill <= Kills; kill++)
        {
            await fleet.PaidAsync(kill * Rows / (Kills + 2));
            var victim = random.Next(workers.Length);
            workers[victim].Kill();
            workers[victim] = fleet.StartWorker(Concurrency);
        }

        await History.CheckAsync(fleet, Rows, Kills * Concurrency);
    }

    /// <summary>A worker for each step dies just there: before Redis hears of it, or when Redis has done it and the answer is on its way.</summary>
    [Fact]
    public async Task A_kill_between_any_two_calls_to_Redis_loses_nothing()
    {
        const int Concurrency = 4;
        string[] verbs = ["claim", "statuses", "put", "complete", "bury", "renew"];
        await using var fleet = await TestFleet.StartAsync(latency: 100, lease: 3);
        var proxies = new List<TcpProxy>();
        var reached = new List<Task>();
        foreach (var verb in verbs)
        {
            foreach (var before in (bool[])[true, false])
            {
                var proxy = new TcpProxy(fleet.Server.Port);
                var worker = fleet.StartWorker(Concurrency, proxy);
                var died = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                bool Dies(ProxyCall call)
                {
                    // A claim that brought nothing is no step.
                    if (call.Verb != verb || (verb == "claim" && !before && call.AnswerBytes < 200))
                        return true;
                    worker.Kill();
                    died.TrySetResult();
                    return false;
                }

                if (before)
                    proxy.OnCall = Dies;
                else
                    proxy.OnAnswer = Dies;
                proxies.Add(proxy);
                reached.Add(died.Task);
            }
        }

        var rows = await fleet.FeedAsync(() => Task.WhenAll(reached).WaitAsync(TimeSpan.FromSeconds(90)), fails: 3);
        fleet.StartWorker(64);
        await History.CheckAsync(fleet, rows, 2 * verbs.Length * Concurrency, failed: rows / 3);
        foreach (var proxy in proxies)
            await proxy.DisposeAsync();
    }
}
