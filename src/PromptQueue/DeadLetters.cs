using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>The jobs of one queue that ended with an error: looks at them, runs them again, drops them.</summary>
internal sealed class DeadLetters(RedisConnections redis, IReadOnlyList<QueuePartition> partitions)
{
    private const int JobsPerCall = 500;

    // Read in one call, at most; a larger envelope by itself.
    private const long BytesPerCall = 4 * 1024 * 1024;

    /// <summary>Those buried first come first, so that a reader who pages on meets the new ones last.</summary>
    public async Task<IReadOnlyList<DeadJob>> ListAsync(int skip, int take)
    {
        var last = (long)skip + take - 1;
        if (take <= 0)
            return [];
        var found = await Task.WhenAll(partitions.Select(p => redis.Commands.SortedSetRangeByRankWithScoresAsync(p.Keys.Dead, 0, last))).ConfigureAwait(false);
        var page = found.SelectMany((entries, p) => entries.Select(e => (Partition: p, Id: (string)e.Element!, e.Score)))
            .OrderBy(e => e.Score).ThenBy(e => e.Id, StringComparer.Ordinal).Skip(skip).Take(take).ToList();
        var jobs = new Dictionary<string, Job?>();
        foreach (var group in page.GroupBy(e => e.Partition))
        {
            await foreach (var (id, job) in ReadAsync(partitions[group.Key], [.. group.Select(e => e.Id)]).ConfigureAwait(false))
                jobs[id] = job;
        }

        return [.. page.Select(e => new DeadJob(e.Id, DateTimeOffset.FromUnixTimeMilliseconds((long)e.Score), jobs[e.Id]))];
    }

    /// <param name="ids">Which; null for all.</param>
    /// <param name="goesOn">Told the batches of which rows run again.</param>
    public async Task<long> RedriveAsync(IReadOnlyList<string>? ids, Func<string, Task> goesOn)
    {
        var redriven = 0L;
        foreach (var partition in partitions)
        {
            if (ids is not null)
            {
                foreach (var part in ids.Where(partition.Holds).Distinct().Chunk(JobsPerCall))
                    redriven += await RedriveAsync(partition, part, goesOn).ConfigureAwait(false);
                continue;
            }

            // Only those that are dead now: what fails again at once must not keep this going.
            var latest = await redis.Commands.SortedSetRangeByRankWithScoresAsync(partition.Keys.Dead, -1, -1).ConfigureAwait(false);
            var kept = 0L;
            while (latest.Length > 0)
            {
                var part = await redis.Commands.SortedSetRangeByScoreAsync(partition.Keys.Dead, stop: latest[0].Score, skip: kept, take: JobsPerCall).ConfigureAwait(false);
                if (part.Length == 0)
                    break;
                var waiting = await RedriveAsync(partition, [.. part.Select(id => (string)id!)], goesOn).ConfigureAwait(false);
                redriven += waiting;
                kept += part.Length - waiting;
            }
        }

        return redriven;
    }

    public async Task<long> PurgeAsync(IReadOnlyList<string>? ids, TimeSpan? olderThan)
    {
        var age = (long)Math.Max(0, (olderThan ?? TimeSpan.Zero).TotalMilliseconds);
        var dropped = 0L;
        foreach (var partition in partitions)
        {
            if (ids is not null)
            {
                foreach (var part in ids.Where(partition.Holds).Chunk(JobsPerCall))
                    dropped += await partition.PurgeAsync(age, JobsPerCall, part).ConfigureAwait(false);
                continue;
            }

            for (long step = JobsPerCall; step == JobsPerCall; dropped += step)
                step = await partition.PurgeAsync(age, JobsPerCall, []).ConfigureAwait(false);
        }

        return dropped;
    }

    // The counts of a batch go back with its rows, so each call is about one batch.
    private async Task<long> RedriveAsync(QueuePartition partition, IReadOnlyList<string> ids, Func<string, Task> goesOn)
    {
        var redriven = 0L;
        var rows = new List<(string Id, (string Batch, int Row)? Place)>(ids.Count);
        await foreach (var (id, job) in ReadAsync(partition, ids).ConfigureAwait(false))
            rows.Add((id, PlaceOf(id, job)));
        foreach (var group in rows.GroupBy(row => row.Place?.Batch))
        {
            var answers = await partition.RedriveAsync(group.Key, [.. group.Select(row => (row.Id, row.Place?.Row ?? 0))]).ConfigureAwait(false);
            redriven += answers.Count(waits => waits);
            if (group.Key is { } batch && answers.Contains(true))
                await goesOn(batch).ConfigureAwait(false);
        }

        return redriven;
    }

    private static (string Batch, int Row)? PlaceOf(string id, Job? job) =>
        job is null ? UnreadableJob.FromId(id) : job.Batch is null ? null : (job.Batch, job.Row);

    private async IAsyncEnumerable<(string Id, Job? Job)> ReadAsync(QueuePartition partition, IReadOnlyList<string> ids)
    {
        var sizes = await Task.WhenAll(
            ids.Select(id => redis.Commands.HashStringLengthAsync(partition.Keys.Jobs, id))).ConfigureAwait(false);
        for (int first = 0, next = 0; first < ids.Count; first = next)
        {
            for (var bytes = 0L; next < ids.Count && (next == first || bytes + sizes[next] <= BytesPerCall); next++)
                bytes += sizes[next];
            var part = ids.Skip(first).Take(next - first).ToArray();
            var envelopes = await redis.Commands.HashGetAsync(
                partition.Keys.Jobs, Array.ConvertAll(part, id => (RedisValue)id)).ConfigureAwait(false);
            for (var n = 0; n < part.Length; n++)
                yield return (part[n], Decode(partition.Queue, part[n], envelopes[n]));
        }
    }

    /// <summary>The job of an envelope; null when there is none, or it cannot be read.</summary>
    internal static Job? Decode(string queue, string id, RedisValue envelope)
    {
        if (envelope.IsNull)
            return null;
        try
        {
            return Envelope.Decode(queue, id, (byte[])envelope!);
        }
        catch (FormatException)
        {
            // Damaged, or of a later version: it is listed without its content, and can be purged.
            return null;
        }
    }
}
