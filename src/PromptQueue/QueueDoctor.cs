using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>
/// Proves on a live Redis what always holds: each job is in exactly one place and has an envelope, each claim has a token, and the counts of the batches
/// agree with what has ended. Reads in small pages; each finding is looked at again in one step before it is told, so that work in progress is none.
/// </summary>
public sealed class QueueDoctor
{
    private readonly RedisConnections _redis;
    private readonly PromptQueue _queue;
    private readonly TimeProvider _time;

    /// <summary>A doctor for the queues of <paramref name="redis"/>.</summary>
    public QueueDoctor(RedisConnections redis, PromptQueueOptions options, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(redis);
        ArgumentNullException.ThrowIfNull(options);
        _redis = redis;
        _time = time;
        _queue = new PromptQueue(redis, options, time);
    }

    /// <summary>Examines a queue.</summary>
    /// <param name="queue">The queue.</param>
    /// <param name="repair">Mends what is found: a job in several places keeps the one of the most life, one in none waits again, what cannot run is dropped, counts are set.</param>
    /// <param name="cancellationToken">Ends it between two steps.</param>
    /// <exception cref="QueueMismatchException">Another schema version, or partitions that disagree.</exception>
    public async Task<DoctorReport> ExamineAsync(string queue, bool repair, CancellationToken cancellationToken = default)
    {
        var findings = new List<DoctorFinding>();
        var jobs = 0L;
        var batches = await BatchesAsync(queue).ConfigureAwait(false);
        foreach (var partition in await _queue.PartitionsAsync(queue).ConfigureAwait(false))
        {
            await partition.CountAsync().ConfigureAwait(false);
            var before = new Dictionary<string, BatchProgress>();
            foreach (var batch in batches)
                before[batch] = await partition.ProgressAsync(batch).ConfigureAwait(false);
            var census = await DoctorCensus.TakeAsync(_redis.Commands, partition.Keys, cancellationToken).ConfigureAwait(false);
            jobs += census.Jobs.Count();
            foreach (var id in census.Suspects)
            {
                cancellationToken.ThrowIfCancellationRequested();
                var facts = await partition.ExamineAsync(id, repair).ConfigureAwait(false);
                if (facts.Fault() is { } fault)
                    findings.Add(new DoctorFinding(fault, id, repair && !facts.ListsAreLong));
            }

            var rows = census.Jobs.Select(UnreadableJob.FromId).OfType<(string Batch, int Row)>().ToLookup(place => place.Batch, place => place.Row);
            foreach (var batch in batches)
            {
                if (await CountsAsync(partition, batch, before[batch], rows[batch].ToHashSet(), repair).ConfigureAwait(false) is { } finding)
                    findings.Add(finding);
            }
        }

        if (await UnservedAsync(queue, repair).ConfigureAwait(false) is { } unserved)
            findings.Add(unserved);
        return new DoctorReport(jobs, findings);
    }

    /// <summary>Looks for rows of batches that are neither on a queue nor ended: Redis has lost them. No repair brings them back.</summary>
    /// <param name="cancellationToken">Ends it between two batches.</param>
    /// <returns>A finding for each batch with such rows.</returns>
    public async Task<IReadOnlyList<DoctorFinding>> FindLostRowsAsync(CancellationToken cancellationToken = default)
    {
        var findings = new List<DoctorFinding>();
        var oldest = _time.GetUtcNow() - _queue.Options.BatchTtl;
        foreach (var id in await _queue.Batches.ListAsync().ConfigureAwait(false))
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (await _queue.Batches.FindAsync(id).ConfigureAwait(false) is not { } batch || batch.Created < oldest)
                continue;
            // An earlier version has not saved how many there were. A run submits only rows without an answer.
            var submitted = batch.Submitted > 0 ? batch.Submitted : batch is { Sealed: true, IsOfRun: false } ? batch.Rows : 0;
            var gone = submitted - (await _queue.Batches.ProgressAsync(id).ConfigureAwait(false)).Expected;
            if (gone > 0)
            {
                findings.Add(new DoctorFinding(
                    $"{gone} of {submitted} rows are neither on a queue nor ended: they are gone{(batch.Submitted > 0 ? "" : ", or a run had their answers")}; submitting the file again runs them",
                    id, false));
            }
        }

        return findings;
    }

    // A queue whose last job has ended is retired; with jobs it must be among those that workers serve.
    private async Task<DoctorFinding?> UnservedAsync(string queue, bool repair)
    {
        if (PrivateQueue.Is(queue) || await _queue.Registry.IsRegisteredAsync(queue).ConfigureAwait(false))
            return null;
        var stats = await _queue.StatsAsync(queue).ConfigureAwait(false);
        if (stats.Waiting + stats.Delayed + stats.Inflight == 0)
            return null;
        if (repair)
            await _queue.Registry.RegisterAsync(queue).ConfigureAwait(false);
        return new DoctorFinding($"has {stats.Waiting + stats.Delayed + stats.Inflight} jobs and is retired: no worker serves it", null, repair);
    }

    private async Task<List<string>> BatchesAsync(string queue)
    {
        var batches = new List<string>();
        foreach (var batch in await _queue.Batches.ListAsync().ConfigureAwait(false))
        {
            if ((await _queue.Batches.FindAsync(batch).ConfigureAwait(false))?.Queues.Contains(queue) == true)
                batches.Add(batch);
        }

        return batches;
    }

    // A batch whose counts stood still from before the census until after its map was read had no row come or go meanwhile.
    private async Task<DoctorFinding?> CountsAsync(QueuePartition partition, string batch, BatchProgress before, HashSet<int> rows, bool repair)
    {
        var map = new long[4];
        var live = rows.Count;
        await EndedRows.EachAsync(_redis.Commands, partition.Keys.Ended(batch), (row, state) =>
        {
            map[(int)state]++;
            live -= rows.Contains(row) ? 1 : 0;
        }).ConfigureAwait(false);
        if (await partition.ProgressAsync(batch).ConfigureAwait(false) != before)
            return null;
        var right = new BatchProgress(live + map[1] + map[2] + map[3], map[1], map[2], map[3]) { SpentNanos = before.SpentNanos };
        if (right == before)
            return null;
        var gone = before.Expected - right.Expected;
        // Without it a batch that has lost rows would look complete.
        if (repair && gone > 0)
            await _queue.Batches.KeepSubmittedAsync(batch).ConfigureAwait(false);
        var repaired = repair && await partition.RecountAsync(batch, before, right).ConfigureAwait(false);
        return new DoctorFinding($"counts {Text(before)} in partition {partition.Index}; there are {Text(right)}{(gone > 0 ? $": {gone} rows are gone" : "")}", batch, repaired);
    }

    private static string Text(BatchProgress counts) =>
        $"{counts.Completed} completed, {counts.Failed} failed, {counts.Cancelled} cancelled of {counts.Expected}";
}
