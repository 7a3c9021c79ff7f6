using System.Globalization;
using Xunit.Abstractions;

namespace LlmPipeline;

/// <summary>A cluster is resharded under load: slots of the queue move from master to master, and stand half moved for a while.</summary>
[Trait("Category", "Slow")]
public sealed class MovingSlots(ITestOutputHelper output)
{
    private const int Workers = 2;
    private static readonly TimeSpan HalfMoved = TimeSpan.FromMilliseconds(700);

    [Fact]
    public async Task Nothing_is_lost_and_nothing_paid_twice_while_slots_move()
    {
        var cluster = await RedisCluster.StartAsync();
        await using var fleet = await TestFleet.StartAsync(cluster, replicas: 0);
        for (var n = 0; n < Workers; n++)
            fleet.StartWorker();
        var moved = 0;
        var rows = await fleet.FeedAsync(async () =>
        {
            await fleet.PaidAsync(100);
            foreach (var partition in await fleet.Queue.PartitionsAsync(fleet.Name))
                moved += await MoveAsync(cluster, partition.Keys.Meta.ToString());
            // Those of single results, too: whoever reads or writes them is sent on.
            for (var row = 1; row <= 8; row++)
                moved += await MoveAsync(cluster, $"result:{fleet.Row(row).Id}");
            await fleet.PaidAsync(fleet.Llm.Stats.Completed + 100);
        });

        output.WriteLine($"{rows} rows, {moved} keys moved");
        Assert.InRange(moved, 10, int.MaxValue);
        await History.CheckAsync(fleet, rows, paidTwice: 0);
    }

    /// <summary>Moves a key's slot to the next master.</summary>
    /// <returns>How many keys it had.</returns>
    private static async Task<int> MoveAsync(RedisCluster cluster, string key)
    {
        var slot = (await RedisCluster.AskAsync(cluster.Masters[0], "cluster", "keyslot", key)).Trim();
        var ids = new List<string>();
        foreach (var master in cluster.Masters)
            ids.Add((await RedisCluster.AskAsync(master, "cluster", "myid")).Trim());
        var from = await HolderAsync(cluster, slot);
        var to = (from + 1) % cluster.Masters.Count;
        var (source, target) = (cluster.Masters[from], cluster.Masters[to]);
        await RedisCluster.AskAsync(target, "cluster", "setslot", slot, "importing", ids[from]);
        await RedisCluster.AskAsync(source, "cluster", "setslot", slot, "migrating", ids[to]);
        var moved = 0;
        while (await KeysAsync(source, slot, 2) is { Length: > 0 } keys)
        {
            await RedisCluster.AskAsync(source, ["migrate", "127.0.0.1", target.Port.ToString(CultureInfo.InvariantCulture), "", "0", "5000", "keys", .. keys]);
            moved += keys.Length;
            if (moved <= 2)
                await Task.Delay(HalfMoved);
        }

        foreach (var master in cluster.Masters)
            await RedisCluster.AskAsync(master, "cluster", "setslot", slot, "node", ids[to]);
        return moved;
    }

    private static async Task<int> HolderAsync(RedisCluster cluster, string slot)
    {
        for (var n = 0; n < cluster.Masters.Count; n++)
        {
            // "myself" with its ranges of slots, such as 0-5460 or 77.
            var mine = (await RedisCluster.AskAsync(cluster.Masters[n], "cluster", "nodes")).Split('\n').Single(line => line.Contains("myself", StringComparison.Ordinal));
            var number = int.Parse(slot, CultureInfo.InvariantCulture);
            if (mine.Split(' ').Skip(8).Where(range => !range.StartsWith('[')).Select(range => range.Split('-')).Any(range =>
                int.Parse(range[0], CultureInfo.InvariantCulture) <= number && number <= int.Parse(range[^1], CultureInfo.InvariantCulture)))
                return n;
        }

        throw new InvalidOperationException($"no master has slot {slot}");
    }

    private static async Task<string[]> KeysAsync(RedisServer server, string slot, int most) =>
        (await RedisCluster.AskAsync(server, "cluster", "getkeysinslot", slot, most.ToString(CultureInfo.InvariantCulture)))
            .Split('\n', StringSplitOptions.RemoveEmptyEntries);
}
