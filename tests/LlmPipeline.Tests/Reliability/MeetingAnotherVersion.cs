using System.Text.Json.Nodes;

namespace LlmPipeline;

/// <summary>A queue of another schema version, older or newer: nobody of this version touches it, and the other queues are served.</summary>
[Trait("Category", "Slow")]
public sealed class MeetingAnotherVersion
{
    private const string Told = "schema version 2, and this program speaks 1";

    [Fact]
    public async Task A_worker_leaves_such_a_queue_alone_serves_the_others_and_takes_it_when_it_is_right()
    {
        await using var fleet = await TestFleet.StartAsync(latency: 0);
        var other = Stores.NewName("other");
        await fleet.EnqueueAsync(1, 20);
        await SetVersionAsync(fleet, fleet.Name, "2");
        var worker = fleet.StartWorker();
        await fleet.HoldsAsync(() => Task.FromResult(worker.Said.Contains(Told)), "the worker says why it does not serve the queue");
        await ServedAsync(fleet, other, 1);
        Assert.Equal(20, await WaitingAsync(fleet, fleet.Name));

        await SetVersionAsync(fleet, fleet.Name, SchemaVersion.Shared.Text);
        await History.CheckAsync(fleet, 20, paidTwice: 0);
        Assert.Equal(1, worker.Said.Split(Told).Length - 1);
        Assert.Contains("is served again", worker.Said);
    }

    [Fact]
    public async Task A_queue_that_changes_under_way_is_claimed_from_no_more_and_what_was_paid_is_kept()
    {
        const int Concurrency = 8;
        const int Rows = 200;
        await using var fleet = await TestFleet.StartAsync(latency: 500, lease: 3);
        var other = Stores.NewName("other");
        await fleet.EnqueueAsync(1, Rows);
        var worker = fleet.StartWorker(Concurrency);
        await fleet.PaidAsync(Concurrency);
        await SetVersionAsync(fleet, fleet.Name, "2");
        await fleet.HoldsAsync(() => Task.FromResult(worker.Said.Contains(Told)), "the worker says why it stops");
        await fleet.HoldsAsync(async () => fleet.Llm.Stats.Completed == Rows - await WaitingAsync(fleet, fleet.Name), "what was claimed has been called for");
        var (waiting, calls) = (await WaitingAsync(fleet, fleet.Name), fleet.Llm.Stats.Calls);
        await ServedAsync(fleet, other, 3);
        Assert.Equal((waiting, calls + 3), (await WaitingAsync(fleet, fleet.Name), fleet.Llm.Stats.Calls));
        Assert.False(worker.HasExited);

        // The program of the other version has gone: this one goes on, and pays nothing twice.
        await SetVersionAsync(fleet, fleet.Name, SchemaVersion.Shared.Text);
        await fleet.EndAsync(Rows);
        Assert.Equal(0, fleet.Llm.Stats.PaidTwice);
        Assert.Equal(new BatchProgress(Rows, Rows, 0, 0), await fleet.ProgressAsync());
    }

    [Fact]
    public async Task Every_command_says_what_is_wrong_and_touches_nothing()
    {
        await using var fleet = await TestFleet.StartAsync();
        await fleet.EnqueueAsync(1, 3);
        await fleet.Queue.Batches.SaveAsync(new BatchInfo { Id = fleet.Batch, Rows = 3, Queues = [fleet.Name], Created = TimeProvider.System.GetUtcNow(), Sealed = true });
        await SetVersionAsync(fleet, fleet.Name, "2");
        fleet.Write("a.txt", "one\ntwo\n");
        string[][] commands =
        [
            ["submit", "a.txt", "--model", fleet.Name], ["status"], ["status", fleet.Batch], ["doctor"], ["doctor", "--repair"], ["cancel", fleet.Batch],
            ["queues", "list"], ["queues", "pause", fleet.Name], ["dead", "redrive", "--all"], ["dead", "purge", "--all"],
        ];
        foreach (var command in commands)
        {
            var (code, _, error) = await fleet.RunAsync(command);
            Assert.True(code == 1 && error.Contains(Told), $"{string.Join(' ', command)} ended with {code}: {error}");
        }

        Assert.Equal(3, await WaitingAsync(fleet, fleet.Name));
    }

    [Fact]
    public async Task The_other_queues_are_shown_beside_it()
    {
        await using var fleet = await TestFleet.StartAsync();
        var other = Stores.NewName("other");
        await fleet.EnqueueAsync(1, 3);
        await fleet.Queue.EnqueueAsync(other, "a prompt");
        await SetVersionAsync(fleet, fleet.Name, "2");

        foreach (var command in (string[][])[["status", "--json"], ["queues", "list", "--json"]])
        {
            var (code, output, error) = await fleet.RunAsync(command);
            Assert.True(code == 1 && error.Contains(Told), $"{code}: {error}");
            var root = JsonNode.Parse(output)!;
            var queues = (root as JsonArray ?? root["queues"]!.AsArray()).ToDictionary(queue => (string)queue!["queue"]!);
            Assert.Equal(1, (long?)queues[other]!["waiting"]);
            Assert.Null(queues[other]!["problem"]);
            Assert.Null(queues[fleet.Name]!["waiting"]);
            Assert.Contains(Told, (string?)queues[fleet.Name]!["problem"]);
        }

        var (_, table, _) = await fleet.RunAsync(["status"]);
        Assert.Matches($@"(?m)^{other} +1 +0 +0 +0 +1 +open", table);
        Assert.Matches($@"(?m)^{fleet.Name} +\? +\? +\? +\? +\? +mismatch", table);
    }

    private static Task SetVersionAsync(TestFleet fleet, string queue, string version) =>
        fleet.Redis.Database.HashSetAsync(new QueueKeys("", queue, 0).Meta, "version", version);

    private static Task<long> WaitingAsync(TestFleet fleet, string queue) => fleet.Redis.Database.ListLengthAsync(new QueueKeys("", queue, 0).Waiting[1]);

    private static async Task ServedAsync(TestFleet fleet, string queue, int jobs)
    {
        for (var n = 1; n <= jobs; n++)
            Assert.Equal(ResultStatus.Completed, (await fleet.Results.WaitAsync(await fleet.Queue.EnqueueAsync(queue, $"prompt {n}")).WaitAsync(TimeSpan.FromSeconds(60))).Status);
    }
}
