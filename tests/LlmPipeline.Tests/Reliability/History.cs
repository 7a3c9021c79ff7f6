namespace LlmPipeline;

/// <summary>What must be true when a run is over, whatever was done to it.</summary>
internal static class History
{
    /// <summary>
    /// Every accepted row has one stored end, was counted and told once, is nowhere in the queue any more, and calls were paid twice only
    /// for what was in flight at a fault.
    /// </summary>
    /// <param name="fleet">Where it ran.</param>
    /// <param name="rows">Rows that were accepted, from 1.</param>
    /// <param name="paidTwice">Jobs that were in flight at the faults: the most that may be paid twice.</param>
    /// <param name="failed">Rows that end with an error.</param>
    /// <param name="repeats">Whether rows ended more than once, so that they are told more than once.</param>
    public static async Task CheckAsync(TestFleet fleet, int rows, int paidTwice, int failed = 0, bool repeats = false)
    {
        await fleet.EndAsync(rows);
        Assert.Equal(new BatchProgress(rows, rows - failed, failed, 0), await fleet.ProgressAsync());

        string[] ids = [.. Enumerable.Range(1, rows).Select(row => fleet.Row(row).Id)];
        var follower = await fleet.Queue.Batches.FollowAsync(fleet.Batch, [fleet.Name]);
        var told = await follower.ReadAsync((2 * rows) + 1);
        Assert.Equal(ids.Order(StringComparer.Ordinal), (repeats ? told.Distinct() : told).Order(StringComparer.Ordinal));

        var stored = await fleet.Results.StatusesAsync(ids);
        Assert.Equal(rows - failed, stored.Count(s => s == ResultStatus.Completed));
        Assert.Equal(failed, stored.Count(s => s == ResultStatus.Failed));

        var left = await fleet.Queue.StatsAsync(fleet.Name);
        Assert.Equal((0, 0, 0, failed), (left.Waiting, left.Delayed, left.Inflight, left.Dead));
        await OnePlace.AssertAsync(fleet.Redis.Database, await fleet.Queue.PartitionsAsync(fleet.Name));
        Assert.InRange(fleet.Llm.Stats.PaidTwice, 0, paidTwice);
    }
}
