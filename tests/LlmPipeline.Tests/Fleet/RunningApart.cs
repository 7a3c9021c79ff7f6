using System.Text.Json.Nodes;

namespace LlmPipeline;

/// <summary><c>run --redis</c> takes part in its own batch only: other people's rows are not called by it, and its own by nobody else.</summary>
[Trait("Category", "Slow")]
public sealed class RunningApart(FleetHouse house) : IClassFixture<FleetHouse>, IDisposable
{
    private readonly FleetDesk _desk = new(house);

    public void Dispose() => _desk.Dispose();

    [Fact]
    public async Task A_run_and_a_worker_of_the_same_model_call_their_own_rows_each_at_its_own_endpoint()
    {
        const int Count = 60;
        await using var own = await LlmSimulator.StartAsync(new SimulatorOptions { Latency = TimeSpan.FromMilliseconds(50), CountTokens = false, Record = true });
        _desk.Llmpipe.Environment["OPENAI_BASE_URL"] = own.BaseUrl.ToString();
        _desk.WriteRows("theirs.jsonl", Count);
        _desk.WriteRows("mine.jsonl", Count);
        var theirs = await _desk.SubmitAsync("theirs.jsonl");

        await _desk.OutAsync(0, "run", "mine.jsonl", "--concurrency", "2");

        Assert.Equal(Count, own.Stats.Calls);
        Assert.Equal(("running", 0, 0, 0, Count), await _desk.StatusAsync(theirs));
        await house.WorkAsync();
        await _desk.OutAsync(0, "results", theirs, "--wait");
        Assert.Equal((Count, Count), (own.Stats.Calls, house.Llm.Stats.Calls));
    }

    [Fact]
    public async Task A_worker_leaves_the_rows_of_a_run_alone_and_they_are_on_no_list_of_queues()
    {
        const int Count = 30;
        await using var server = await RedisServer.StartAsync();
        await using var own = await LlmSimulator.StartAsync(new SimulatorOptions { Latency = TimeSpan.FromMilliseconds(300), CountTokens = false });
        await using var other = await LlmSimulator.StartAsync(new SimulatorOptions { CountTokens = false });
        _desk.WriteRows("in.jsonl", Count);
        _desk.Llmpipe.Environment["OPENAI_BASE_URL"] = other.BaseUrl.ToString();
        await using var worker = new WorkProcess(_desk.Llmpipe.Start("work", "--redis", server.Address));
        await Eventually.HoldsAsync(() => Task.FromResult(worker.Said.Contains("working on")), "the worker works", TimeSpan.FromSeconds(60));

        _desk.Llmpipe.Environment["OPENAI_BASE_URL"] = own.BaseUrl.ToString();
        var (exitCode, _, error) = await _desk.Llmpipe.RunAsync("run", "in.jsonl", "--redis", server.Address, "--concurrency", "4");

        Assert.True(exitCode == 0, error);
        Assert.Equal((Count, 0), (own.Stats.Calls, other.Stats.Calls));
        await using var redis = await Stores.ConnectAsync(server.Address);
        var queue = new PromptQueue(redis, new PromptQueueOptions(), TimeProvider.System);
        Assert.Empty(await queue.QueuesAsync());
        // It has retired with its batch, whose counts stay.
        Assert.Empty(await queue.Private.ListAsync());
        var batch = Assert.Single(await queue.Batches.ListAsync());
        Assert.Equal(0, await redis.Database.KeyExistsAsync(new QueueKeys("", PrivateQueue.Name(batch, _desk.Model), 0).All));
        Assert.Equal(new BatchProgress(Count, Count, 0, 0), await queue.Batches.ProgressAsync(batch));
        Assert.DoesNotContain("is not served", worker.Said);
    }

    [Fact]
    public async Task Of_two_runs_of_a_batch_the_second_is_refused_and_when_the_first_is_killed_it_goes_on()
    {
        const int Count = 40;
        await using var own = await LlmSimulator.StartAsync(new SimulatorOptions { Latency = TimeSpan.FromSeconds(2), CountTokens = false });
        _desk.Llmpipe.Environment["OPENAI_BASE_URL"] = own.BaseUrl.ToString();
        _desk.WriteRows("in.jsonl", Count);
        using var first = _desk.Start("run", "in.jsonl", "-o", "first.jsonl", "--concurrency", "4");
        await Eventually.HoldsAsync(() => Task.FromResult(own.Stats.Completed >= 8), "the first run works", TimeSpan.FromSeconds(60));

        var refused = await _desk.ErrorAsync(2, "run", "in.jsonl", "-o", "second.jsonl");
        Assert.Contains("a second run of it would call its rows twice", refused);
        Assert.False(_desk.Llmpipe.Exists("second.jsonl.partial"));
        first.Kill();
        await first.WaitForExitAsync();
        var error = await _desk.ErrorAsync(0, "run", "in.jsonl", "-o", "first.jsonl", "--concurrency", "20");

        Assert.Contains($"{Count} completed", error);
        // Those that ran when it was killed are called again.
        Assert.InRange(own.Stats.Calls, Count, Count + 4);
        Assert.Equal(Count, _desk.Llmpipe.Lines("first.jsonl").Length);
    }

    [Fact]
    public async Task Without_an_endpoint_nothing_is_run_and_no_simulator_answers_on_a_shared_Redis()
    {
        _desk.WriteRows("in.jsonl", 3);

        var error = await _desk.ErrorAsync(2, "run", "in.jsonl");

        Assert.Contains("run --redis needs an endpoint", error);
        Assert.Contains("--fleet", error);
        Assert.Equal(["in.jsonl"], Directory.GetFiles(_desk.Llmpipe.Folder).Select(Path.GetFileName));
        Assert.DoesNotContain(_desk.Model, await house.Queue.QueuesAsync());
    }

    [Fact]
    public async Task A_run_that_may_have_few_rows_waiting_waits_for_room_and_counts_right()
    {
        const int Count = 300;
        await using var own = await LlmSimulator.StartAsync(new SimulatorOptions { CountTokens = false });
        _desk.Llmpipe.Environment["OPENAI_BASE_URL"] = own.BaseUrl.ToString();
        _desk.Llmpipe.Environment["LLMPIPE__MaxWaiting"] = "10";
        _desk.WriteRows("in.jsonl", Count);

        var report = JsonNode.Parse(await _desk.OutAsync(0, "run", "in.jsonl", "--json", "--concurrency", "4"))!;

        Assert.Equal((Count, Count), ((int)report["completed_rows"]!, own.Stats.Calls));
        Assert.Equal(("ended", Count, 0, 0, 0), await _desk.StatusAsync((string)report["batch"]!));
    }

    [Fact]
    public async Task The_failed_rows_of_a_run_are_run_again_by_a_run()
    {
        await using var own = await LlmSimulator.StartAsync(new SimulatorOptions { CountTokens = false });
        _desk.Llmpipe.Environment["OPENAI_BASE_URL"] = own.BaseUrl.ToString();
        _desk.WriteRows("in.jsonl", 5, n => n == 2);
        var report = JsonNode.Parse(await _desk.OutAsync(3, "run", "in.jsonl", "--json"))!;

        var before = own.Stats.Calls;
        Assert.Contains("--retry-failed", await _desk.ErrorAsync(2, "retry", (string)report["batch"]!));
        await _desk.ErrorAsync(3, "run", "in.jsonl", "--retry-failed");

        // Of this run it is the only row: it is refused twice before that decides.
        Assert.Equal(2, own.Stats.Calls - before);
        Assert.Equal(("ended", 4, 1, 0, 0), await _desk.StatusAsync((string)report["batch"]!));
    }
}
