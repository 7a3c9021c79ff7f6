namespace LlmPipeline.Tests;

/// <summary><see cref="CallProgress.StopSending"/> ends what waits, and lets go on what is sent.</summary>
public sealed class StoppingUnsentCalls
{
    [Fact]
    public async Task A_call_that_waits_for_a_permit_is_released_and_one_that_is_sent_completes()
    {
        var answer = new TaskCompletionSource();
        await using var endpoint = new RawEndpoint((_, _) =>
        {
            answer.Task.GetAwaiter().GetResult();
            return RawReply.Ok;
        });
        var at = CallerHouse.At(endpoint);
        at.Concurrency = 1;
        await using var caller = CallerHouse.Caller(CallerHouse.Options(at));
        using var stop = new CancellationTokenSource();
        var (sent, waits) = (new CallProgress(stop.Token), new CallProgress(stop.Token));

        var first = ((ILlmCaller)caller).CallAsync(CallerHouse.Request(), 0, null, sent, default);
        await Eventually.HoldsAsync(() => Task.FromResult(sent.Stage == CallStage.Sent && endpoint.Requests.Count == 1), "the first is sent");
        var second = ((ILlmCaller)caller).CallAsync(CallerHouse.Request() with { Id = "second" }, 2, null, waits, default);
        await Eventually.HoldsAsync(() => Task.FromResult(waits.Stage == CallStage.WaitingForQuota), "the second waits");
        await stop.CancelAsync();
        // Whichever comes first: a call that is not released waits for the first one's answer.
        var isReleased = await Task.WhenAny(second, Task.Delay(TimeSpan.FromSeconds(20))) == second;
        answer.SetResult();
        Assert.True(isReleased);
        var released = await second;
        var completed = await first.WaitAsync(TimeSpan.FromSeconds(60));

        Assert.Equal((CallVerdict.Release, 2), (released.Verdict, released.Attempts));
        Assert.Equal(CallVerdict.Completed, completed.Verdict);
        Assert.Equal((CallStage.Ended, CallStage.Ended), (sent.Stage, waits.Stage));
        Assert.Single(endpoint.Requests);
    }

    [Fact]
    public async Task A_pause_before_another_try_ends_at_once()
    {
        await using var endpoint = new RawEndpoint((_, _) => new RawReply(429, """{"error":{"message":"slow down"}}""", "Retry-After: 5"));
        var options = CallerHouse.Options(CallerHouse.At(endpoint));
        options.MaxInlineWait = TimeSpan.FromMinutes(1);
        await using var caller = CallerHouse.Caller(options);
        using var stop = new CancellationTokenSource();
        var progress = new CallProgress(stop.Token);

        var call = ((ILlmCaller)caller).CallAsync(CallerHouse.Request(), 3, null, progress, default);
        await Eventually.HoldsAsync(() => Task.FromResult(progress.Stage == CallStage.Retrying), "it pauses");
        await stop.CancelAsync();
        var outcome = await call.WaitAsync(TimeSpan.FromSeconds(60));

        Assert.Equal(CallVerdict.Release, outcome.Verdict);
        Assert.Single(endpoint.Requests);
    }
}
