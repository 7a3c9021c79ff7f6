namespace LlmPipeline;

[Trait("Category", "Slow")]
public sealed class WorkingOnThreeMasters
{
    [Fact]
    public async Task The_whole_path_works_on_a_cluster()
    {
        const int Count = 200;
        // Its own: a worker serves every queue that it finds.
        await using var cluster = await RedisCluster.StartAsync();
        await using var llm = await LlmSimulator.StartAsync(new SimulatorOptions { Latency = TimeSpan.FromMilliseconds(10), CountTokens = false });
        using var desk = new FleetDesk(cluster.Address);
        desk.Llmpipe.Environment["OPENAI_BASE_URL"] = llm.BaseUrl.ToString();
        desk.WriteRows("in.jsonl", Count, fails: n => n % 20 == 0);
        desk.WriteRows("other.jsonl", Count);
        var batch = await desk.SubmitAsync("in.jsonl");
        await using var worker = new WorkProcess(desk.Start("work"));

        var lines = (await desk.OutAsync(3, "results", batch, "--wait")).TrimEnd().Split('\n');

        Assert.Equal(Enumerable.Range(1, Count).Select(n => $"row-{n}"), Rows.CustomIds(lines));
        Assert.Equal(("ended", Count - 10, 10, 0, 0), await desk.StatusAsync(batch));
        Assert.Equal(Count, llm.Stats.Calls);
        Assert.Contains("10 of 10 failed rows wait again", await desk.ErrorAsync(0, "retry", batch));
        await desk.OutAsync(3, "results", batch, "--wait");
        Assert.Equal(10, (await desk.OutAsync(0, "dead", "list", "--queue", desk.Model, "--json")).TrimEnd().Split('\n').Length);

        await desk.OutAsync(0, "queues", "pause", desk.Model);
        var other = await desk.SubmitAsync("other.jsonl");
        await desk.OutAsync(0, "cancel", other);
        await desk.OutAsync(3, "results", other, "--wait");
        Assert.Equal(("ended", 0, 0, Count, 0), await desk.StatusAsync(other));
        Assert.Contains("nothing is wrong", await desk.ErrorAsync(0, "doctor", "--queue", desk.Model));
        worker.Terminate();
        Assert.True(await worker.ExitedAsync(TimeSpan.FromSeconds(60)) == 0, worker.Said);
    }
}
