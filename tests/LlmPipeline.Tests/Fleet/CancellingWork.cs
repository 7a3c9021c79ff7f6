namespace LlmPipeline;

public sealed class CancellingWork(FleetHouse house) : IClassFixture<FleetHouse>, IDisposable
{
    private static readonly TimeSpan LongTime = TimeSpan.FromMinutes(30);
    private readonly FleetDesk _desk = new(house);

    public void Dispose() => _desk.Dispose();

    [Fact]
    public async Task Waiting_rows_end_without_a_call_also_in_a_paused_queue()
    {
        const int Count = 1200;
        await house.WorkAsync();
        var batch = await SubmitPausedAsync(Count);

        var said = await _desk.ErrorAsync(0, "cancel", batch);
        await EndsAsync(batch);

        Assert.Contains($"batch {batch}: 1,200 rows are asked to stop; 0 are completed and stay", said);
        Assert.Equal(("ended", 0, 0, Count, 0), await _desk.StatusAsync(batch));
        Assert.Equal(Count, (await StatusesAsync(house, batch, Count)).Count(status => status == ResultStatus.Cancelled));
        Assert.Contains("had ended already", await _desk.ErrorAsync(0, "cancel", batch));
        Assert.Equal(3, (await _desk.RunAsync("results", batch)).ExitCode);
        await OnePlace.AssertAsync(house.Redis.Database, await house.Queue.PartitionsAsync(_desk.Model));
    }

    [Fact]
    public async Task One_job_ends_alone()
    {
        await house.WorkAsync();
        var batch = await SubmitPausedAsync(5);

        Assert.Contains("is asked to stop", await _desk.ErrorAsync(0, "cancel", batch + ".3"));
        await Eventually.HoldsAsync(async () => (await house.Results.GetAsync(batch + ".3")) is not null, "the job has its end");
        var (code, text, error) = await _desk.RunAsync("result", batch + ".3");

        Assert.Equal((3, ""), (code, text));
        Assert.Contains("has been cancelled", error);
        Assert.Equal(("running", 0, 0, 1, 4), await _desk.StatusAsync(batch));
        await _desk.OutAsync(0, "queues", "resume", _desk.Model);
        await EndsAsync(batch);
        Assert.Equal(("ended", 4, 0, 1, 0), await _desk.StatusAsync(batch));
        Assert.Contains("had ended already", await _desk.ErrorAsync(0, "cancel", batch + ".1"));
        Assert.Contains("there is no batch or job", await _desk.ErrorAsync(1, "cancel", batch + ".6"));
    }

    /// <summary>The leases are renewed each three minutes, so that it is the message that tells.</summary>
    [Fact]
    public async Task Running_calls_are_broken_off_at_once_and_the_rest_ends_without_a_slot()
    {
        await using var slow = await Own.StartAsync(new SimulatorOptions { Latency = LongTime, CountTokens = false });
        using var desk = new FleetDesk(slow.House);
        slow.House.Set("Lease", "540");
        await slow.House.StartWorkerAsync(concurrency: 4);
        desk.WriteRows("in.jsonl", 300);
        var batch = await desk.SubmitAsync("in.jsonl");
        await Eventually.HoldsAsync(() => Task.FromResult(slow.House.Llm.Stats.InFlight == 4), "the calls are out");
        desk.WriteRows("other.jsonl", 1);

        await desk.OutAsync(0, "cancel", batch);

        await EndsAsync(slow.House, batch);
        Assert.Equal(("ended", 0, 0, 300, 0), await desk.StatusAsync(batch));
        await Eventually.HoldsAsync(() => Task.FromResult(slow.House.Llm.Stats.InFlight == 0), "no call is left");
        Assert.Equal(4, slow.House.Llm.Stats.Calls);
        // One job likewise.
        var other = await desk.SubmitAsync("other.jsonl");
        await Eventually.HoldsAsync(() => Task.FromResult(slow.House.Llm.Stats.InFlight == 1), "the call is out");
        await desk.OutAsync(0, "cancel", other + ".1");
        await EndsAsync(slow.House, other);
        Assert.Equal(("ended", 0, 0, 1, 0), await desk.StatusAsync(other));
    }

    [Fact]
    public async Task It_does_not_wait_for_a_quota_gate_nor_for_the_rows_before_it()
    {
        await using var shut = await Own.StartAsync(new SimulatorOptions { FailShare = 1, Faults = [FaultKind.TooManyRequests], RetryAfter = LongTime, CountTokens = false });
        using var desk = new FleetDesk(shut.House);
        await shut.House.StartWorkerAsync();
        desk.WriteRows("before.jsonl", 50);
        desk.WriteRows("in.jsonl", 700);
        var before = await desk.SubmitAsync("before.jsonl");
        await Eventually.HoldsAsync(() => Task.FromResult(shut.House.Llm.Stats.Calls > 0), "the gate is shut");
        var batch = await desk.SubmitAsync("in.jsonl");

        await desk.OutAsync(0, "cancel", batch);

        await EndsAsync(shut.House, batch);
        Assert.Equal(("ended", 0, 0, 700, 0), await desk.StatusAsync(batch));
        Assert.Equal(("running", 0, 0, 0, 50), await desk.StatusAsync(before));
    }

    [Fact]
    public async Task What_is_paid_is_kept_and_the_counts_are_exact()
    {
        const int Count = 600;
        const int Concurrency = 8;
        await using var own = await Own.StartAsync(new SimulatorOptions { Latency = TimeSpan.FromMilliseconds(50), CountTokens = false });
        using var desk = new FleetDesk(own.House);
        await own.House.StartWorkerAsync(Concurrency);
        desk.WriteRows("in.jsonl", Count);
        var batch = await desk.SubmitAsync("in.jsonl");
        await Eventually.HoldsAsync(() => Task.FromResult(own.House.Llm.Stats.Completed >= 20), "some rows are answered");

        await desk.OutAsync(0, "cancel", batch);
        await EndsAsync(own.House, batch);

        var (state, completed, failed, cancelled, left) = await desk.StatusAsync(batch);
        Assert.Equal(("ended", 0, Count, 0), (state, failed, completed + cancelled, left));
        Assert.InRange(completed, 20, Count - 1);
        Assert.InRange(own.House.Llm.Stats.Completed - completed, 0, Concurrency);
        Assert.Equal(completed, (await StatusesAsync(own.House, batch, Count)).Count(status => status == ResultStatus.Completed));
    }

    [Fact]
    public async Task A_cancelled_batch_whose_rows_run_again_is_no_longer_cancelling()
    {
        await house.WorkAsync();
        _desk.WriteRows("in.jsonl", 4, fails: n => n > 2);
        var batch = await _desk.SubmitAsync("in.jsonl");
        await EndsAsync(batch);
        await _desk.OutAsync(0, "queues", "pause", _desk.Model);
        await _desk.OutAsync(0, "cancel", batch);

        Assert.Contains("2 of 2 failed rows wait again", await _desk.ErrorAsync(0, "retry", batch));

        Assert.Equal(("running", 2, 0, 0, 2), await _desk.StatusAsync(batch));
        await _desk.OutAsync(0, "queues", "resume", _desk.Model);
        await EndsAsync(batch);
        Assert.Equal(("ended", 2, 2, 0, 0), await _desk.StatusAsync(batch));
    }

    [Fact]
    public async Task A_cancelled_file_says_so_and_runs_again_when_asked_for()
    {
        await house.WorkAsync();
        var batch = await SubmitPausedAsync(30);
        await _desk.OutAsync(0, "cancel", batch);
        await EndsAsync(batch);
        await _desk.OutAsync(0, "queues", "resume", _desk.Model);

        var said = await _desk.ErrorAsync(0, "submit", "in.jsonl");
        Assert.Equal(("ended", 0, 0, 30, 0), await _desk.StatusAsync(batch));
        var again = await _desk.JsonAsync(0, "submit", "in.jsonl", "--retry-failed");

        Assert.Contains("the batch was cancelled", said);
        Assert.Equal((30, false), ((int)again["enqueued"]!, (bool)again["cancelled"]!));
        await _desk.OutAsync(0, "results", batch, "--wait");
        Assert.Equal(("ended", 30, 0, 0, 0), await _desk.StatusAsync(batch));
    }

    private async Task<string> SubmitPausedAsync(int rows)
    {
        await house.Queue.EnqueueAsync(_desk.Model, "makes the queue");
        await house.Queue.PauseAsync(_desk.Model);
        _desk.WriteRows("in.jsonl", rows);
        return await _desk.SubmitAsync("in.jsonl");
    }

    private Task EndsAsync(string batch) => EndsAsync(house, batch);

    private static Task EndsAsync(FleetHouse at, string batch) => Eventually.HoldsAsync(
        async () => await at.Queue.Batches.ProgressAsync(batch) is var progress && progress.Expected > 0 && progress.Ended == progress.Expected, "the batch has ended", TimeSpan.FromSeconds(45));

    private static Task<IReadOnlyList<ResultStatus?>> StatusesAsync(FleetHouse at, string batch, int rows) =>
        at.Results.StatusesAsync([.. Enumerable.Range(1, rows).Select(row => $"{batch}.{row}")]);

    /// <summary>A house of a test's own, gone at its end.</summary>
    private sealed record Own(FleetHouse House) : IAsyncDisposable
    {
        public static async Task<Own> StartAsync(SimulatorOptions llm) => new(await FleetHouse.StartAsync(llm));

        public async ValueTask DisposeAsync() => await House.DisposeAsync();
    }
}
