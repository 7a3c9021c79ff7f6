namespace LlmPipeline.Bench;

/// <summary>Carries one scenario out, and beside it, on a judge of its own, the common way.</summary>
internal static class QuotaRun
{
    private static readonly TimeSpan Between = TimeSpan.FromSeconds(0.5);

    /// <param name="scenario">What is measured.</param>
    /// <param name="seconds">For how long, from the first call on.</param>
    /// <param name="latency">Of the judge, beside what an answer's tokens add, ms.</param>
    /// <param name="concurrency">Calls at once, of all workers.</param>
    /// <returns>What either did, and what the workers said.</returns>
    public static async Task<(QuotaResult Ours, QuotaResult Common, string Said)> RunAsync(QuotaScenario scenario, int seconds, int latency, int concurrency)
    {
        await using var judge = await Judge.StartAsync(scenario, latency);
        await using var other = await Judge.StartAsync(scenario, latency);
        await using var fleet = await WorkerFleet.StartAsync(scenario, judge.Url, concurrency);
        using var stop = new CancellationTokenSource();
        var common = CommonWay.RunAsync(scenario, other.Url, concurrency, stop.Token);
        try
        {
            var ours = WatchAsync(scenario, judge, seconds);
            var theirs = WatchAsync(scenario, other, seconds);
            return (await ours, await theirs, fleet.Said);
        }
        finally
        {
            await stop.CancelAsync();
            await common;
        }
    }

    private static async Task<QuotaResult> WatchAsync(QuotaScenario scenario, Judge judge, int seconds)
    {
        while ((await judge.LookAsync(0)).Calls == 0)
            await Task.Delay(20);
        var began = TimeProvider.System.GetTimestamp();
        var verdicts = new List<Verdict>();
        var isHalved = false;
        using var clock = new PeriodicTimer(Between);
        do
        {
            var at = TimeProvider.System.GetElapsedTime(began);
            if (at >= scenario.HalvedAfter && !isHalved)
            {
                isHalved = true;
                await judge.HalveAsync();
            }
            verdicts.Add(await judge.LookAsync(at.TotalSeconds));
            if (at.TotalSeconds >= seconds)
                break;
        }
        while (await clock.WaitForNextTickAsync());
        return new QuotaResult(scenario, verdicts);
    }
}
