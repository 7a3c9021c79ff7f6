namespace LlmPipeline;

public sealed class SharingTheLanes
{
    private const int Deep = 400;

    /// <summary>As a worker claims: a few at a time, from the lane whose turn it is.</summary>
    [Theory, ClassData(typeof(Stores))]
    public async Task With_all_lanes_400_deep_each_gets_its_share_and_none_waits_for_another_to_be_empty(Store store)
    {
        var queue = await TestQueue.CreateAsync(store);
        foreach (var lane in Enum.GetValues<Lane>())
            await queue.EnqueueAsync([.. Enumerable.Range(1, Deep).Select(n => queue.Single($"{lane}-{n}", lane))]);
        var turns = new LaneTurns(1, new Random(3));
        var claimed = new List<Lane>();
        while (claimed.Count < 3 * Deep)
        {
            var jobs = (await queue.ClaimAllAsync(5, lane: turns.Next(0))).Jobs;
            Assert.NotEmpty(jobs);
            claimed.AddRange(jobs.Select(job => job.Job.Lane));
            Assert.All(await queue.Partition.CompleteAsync([.. jobs.Select(job => (job, EndState.Completed))]), outcome => Assert.Equal(SettleOutcome.Settled, outcome));
        }

        // 80 claims of 5: all lanes still have jobs after them.
        var first = claimed.Take(400).CountBy(lane => lane).ToDictionary();
        Assert.Equal((250, 100, 50), (first[Lane.High], first[Lane.Normal], first[Lane.Low]));
        Assert.Equal([Deep, Deep, Deep], claimed.CountBy(lane => lane).Select(share => share.Value));
    }

    [Fact]
    public void Every_partition_is_asked_for_every_lane_however_many_there_are()
    {
        foreach (var partitions in (int[])[1, 2, 4, 8, 16])
        {
            var turns = new LaneTurns(partitions, new Random(partitions));
            var asked = Enumerable.Range(0, 8 * partitions).Select(n => (Partition: n % partitions, Lane: turns.Next(n % partitions))).ToList();
            foreach (var partition in asked.GroupBy(turn => turn.Partition))
                Assert.Equal((5, 2, 1), (partition.Count(t => t.Lane == Lane.High), partition.Count(t => t.Lane == Lane.Normal), partition.Count(t => t.Lane == Lane.Low)));
        }
    }
}
