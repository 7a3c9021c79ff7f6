namespace LlmPipeline;

/// <summary>Gives rows that ask the same as another that row's answer, once all others have theirs.</summary>
internal sealed class RunCopier(RunPlan plan, OutputFile output, RunDuplicates duplicates)
{
    private const int RowsPerCall = 100;

    /// <summary>How many rows have got a copy so far.</summary>
    public int Copied { get; private set; }

    /// <summary>Copies: on the disk, and where others read results on a Redis, there too.</summary>
    /// <param name="shared">A Redis where others read the results; null for none.</param>
    /// <param name="cancellationToken">Stops between two groups; the same again goes on.</param>
    public async Task CopyAsync((RunRedis Redis, ResultStore Results)? shared, CancellationToken cancellationToken)
    {
        await output.FlushAsync(cancellationToken).ConfigureAwait(false);
        var group = new List<InputRow>(RowsPerCall);
        await foreach (var row in plan.Input.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            if (!duplicates.Leads(row.Number) && !output.IsDone(row.Number))
                group.Add(row);
            if (group.Count < RowsPerCall)
                continue;
            await CopyAsync(group, shared, cancellationToken).ConfigureAwait(false);
            group.Clear();
        }

        await CopyAsync(group, shared, cancellationToken).ConfigureAwait(false);
    }

    private async Task CopyAsync(List<InputRow> rows, (RunRedis Redis, ResultStore Results)? shared, CancellationToken cancellationToken)
    {
        if (shared is var (redis, results))
        {
            var storing = new List<Task>();
            var (n, bytes) = (0, 0L);
            await foreach (var original in results.ReadAsync([.. rows.Select(row => JobId(duplicates.LeaderOf(row.Number)))], cancellationToken).ConfigureAwait(false))
            {
                var row = rows[n++];
                if (original is null)
                    continue;
                storing.Add(redis.AnsweredAsync(() => results.PutAsync(CopyOf(original, row)), cancellationToken));
                bytes += original.Response.Length;
                if (bytes < OutputFile.ManyBytes)
                    continue;
                await Task.WhenAll(storing).ConfigureAwait(false);
                storing.Clear();
                bytes = 0;
            }

            await Task.WhenAll(storing).ConfigureAwait(false);
        }

        foreach (var row in rows)
            output.Copy(duplicates.LeaderOf(row.Number), JobId(row.Number), row.CustomId);
        await output.FlushAsync(cancellationToken).ConfigureAwait(false);
        Copied += rows.Count;
    }

    /// <summary>It has used no tokens and cost nothing; where no price is known, not even that is.</summary>
    private JobResult CopyOf(JobResult original, InputRow row) => original with
    {
        JobId = JobId(row.Number),
        Meta = original.Meta with
        {
            CustomId = row.CustomId,
            CopyOf = original.JobId,
            InputTokens = 0,
            CachedTokens = 0,
            OutputTokens = 0,
            Cost = original.Meta.Cost is null ? null : 0,
            Attempts = 0,
        },
    };

    private string JobId(int row) => RowId.Of(output.BatchId, row);
}
