using System.Runtime.CompilerServices;

namespace LlmPipeline;

/// <summary>Puts the rows of a batch on their queues. Their ids are made of the batch's, so that doing it again, by whichever gateway, adds nothing.</summary>
internal sealed class BatchEnqueuer(GatewayParts parts)
{
    /// <summary>Enqueues all rows; waits where a queue is full.</summary>
    /// <param name="batch">The batch.</param>
    /// <param name="input">Its checked file.</param>
    /// <param name="isWanted">Asked between two calls: whether to go on.</param>
    /// <param name="cancellationToken">Ends it; rows before that are enqueued.</param>
    /// <returns>False: it was no longer wanted.</returns>
    public async Task<bool> EnqueueAsync(BatchRecord batch, InputFile input, Func<Task<bool>> isWanted, CancellationToken cancellationToken)
    {
        var info = new BatchInfo { Id = batch.Id, Rows = batch.Total, Queues = batch.Models, Endpoint = "gateway", Created = batch.Created };
        var submitter = new BatchSubmitter(parts.Queue, parts.Results, parts.Time) { IsWanted = isWanted };
        return await submitter.SubmitAsync(info, JobsAsync(batch, input, cancellationToken), cancellationToken) is not null;
    }

    private async IAsyncEnumerable<Job> JobsAsync(BatchRecord batch, InputFile input, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        // The batch's times are Redis', a job's deadline is this process'.
        var ahead = await RedisRetry.UntilAnsweredAsync(() => parts.Redis.Clock.NowAsync().AsTask(), parts.Time, cancellationToken: cancellationToken) - parts.Time.GetUtcNow();
        await foreach (var row in input.ReadAsync(cancellationToken))
        {
            yield return new Job
            {
                Id = RowId.Of(batch.Id, row.Number),
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
}
