using System.Runtime.CompilerServices;

namespace LlmPipeline;

/// <summary>Puts the rows of a batch on their queues. Their ids are made of the batch's, so that doing it again, by whichever gateway, adds nothing.</summary>
internal sealed class BatchEnqueuer(GatewayParts parts)
{
    private static readonly TimeSpan FullPause = TimeSpan.FromSeconds(1);

    /// <summary>Enqueues all rows; waits where a queue is full.</summary>
    /// <param name="batch">The batch.</param>
    /// <param name="input">Its checked file.</param>
    /// <param name="isWanted">Asked between two calls: whether to go on.</param>
    /// <param name="cancellationToken">Ends it; rows before that are enqueued.</param>
    /// <returns>False: it was no longer wanted.</returns>
    public async Task<bool> EnqueueAsync(BatchRecord batch, InputFile input, Func<Task<bool>> isWanted, CancellationToken cancellationToken)
    {
        var info = new BatchInfo { Id = batch.Id, Rows = batch.Total, Queues = batch.Models, Endpoint = "gateway", Created = batch.Created };
        await DoneAsync(() => parts.Queue.Batches.SaveAsync(info), cancellationToken);
        await foreach (var group in JobGroups.OfAsync(JobsAsync(batch, input, cancellationToken)))
        {
            for (var left = group; left.Count > 0;)
            {
                if (!await isWanted())
                    return false;
                var outcomes = await RedisRetry.UntilAnsweredAsync(
                    () => parts.Queue.EnqueueAsync(left, cancellationToken: cancellationToken), parts.Time, cancellationToken: cancellationToken);
                left = [.. left.Where((_, n) => outcomes[n] == EnqueueOutcome.Full)];
                if (left.Count > 0)
                    await Task.Delay(FullPause, parts.Time, cancellationToken);
            }
        }

        await DoneAsync(() => parts.Queue.Batches.SaveAsync(info with { Sealed = true }), cancellationToken);
        return true;
    }

    private async IAsyncEnumerable<Job> JobsAsync(BatchRecord batch, InputFile input, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        // The batch's times are Redis', a job's deadline is this process'.
        var ahead = await RedisRetry.UntilAnsweredAsync(() => parts.Redis.Clock.NowAsync().AsTask(), parts.Time, cancellationToken: cancellationToken) - parts.Time.GetUtcNow();
        await foreach (var row in input.ReadAsync(cancellationToken))
        {
            yield return new Job
            {
                Id = ResultLine.JobId(batch.Id, row.Number),
                Queue = row.Model,
                Batch = batch.Id,
                Row = row.Number,
                CustomId = row.CustomId,
                Deadline = batch.Expires - ahead,
                MaxAttempts = parts.MaxAttempts,
                AttemptTimeout = parts.AttemptTimeout,
                Work = new RequestWork { Path = row.Url!, Body = row.Body },
            };
        }
    }

    private Task DoneAsync(Func<Task> call, CancellationToken cancellationToken) => RedisRetry.UntilAnsweredAsync(
        async () =>
        {
            await call();
            return true;
        },
        parts.Time, cancellationToken: cancellationToken);
}
