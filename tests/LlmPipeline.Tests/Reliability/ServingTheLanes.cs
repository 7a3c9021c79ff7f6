namespace LlmPipeline;

[Trait("Category", "Slow")]
public sealed class ServingTheLanes
{
    private const int Deep = 400;

    [Theory, InlineData(1), InlineData(8)]
    public async Task A_worker_serves_all_lanes_of_all_partitions_by_their_shares(int partitions)
    {
        await using var fleet = await TestFleet.StartAsync(latency: 20);
        // One call at a time is one claim of one job.
        var queue = new PromptQueue(fleet.Redis, new PromptQueueOptions { Partitions = partitions }, TimeProvider.System);
        await queue.EnqueueAsync([.. Enumerable.Range(0, 3 * Deep).Select(n => fleet.Row(n + 1) with { Lane = (Lane)(n / Deep) })]);
        var follower = await queue.Batches.FollowAsync(fleet.Batch, [fleet.Name]);
        fleet.StartWorker(concurrency: 1);
        await fleet.EndAsync(240);
        var ended = (await follower.ReadAsync(500)).Select(id => int.Parse(id[(id.LastIndexOf('.') + 1)..]) - 1).Take(1000).ToList();

        var shares = ended.CountBy(n => (Lane)(n / Deep)).ToDictionary(share => share.Key, share => 8.0 * share.Value / ended.Count);
        Assert.InRange(shares[Lane.High], 4.5, 5.5);
        Assert.InRange(shares[Lane.Normal], 1.6, 2.4);
        Assert.InRange(shares[Lane.Low], 0.7, 1.3);
        // No partition is left out, or it would be full while the others empty.
        var served = ended.CountBy(n => Names.PartitionOf(fleet.Row(n + 1).Id, partitions)).ToDictionary();
        Assert.Equal(partitions, served.Count);
        Assert.All(served.Values, jobs => Assert.InRange(jobs, ended.Count / partitions / 2, ended.Count));
    }
}
