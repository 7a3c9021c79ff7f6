using Microsoft.Extensions.Logging;

namespace LlmPipeline;

/// <summary>Takes one batch on, from wherever it stands to its end. Whatever it does can be done again, by another gateway too, if it is killed.</summary>
internal sealed partial class BatchDriver(BatchRecord batch, string token, BatchRecords records, BatchTools tools, GatewayParts parts, ILogger<BatchDriver> logger)
{
    private static readonly TimeSpan SettlingPoll = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan BetweenNotes = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan PausePerModel = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan AfterFault = TimeSpan.FromSeconds(5);
    private const int MostFaults = 20;
    private readonly string _owner = batch.Owner;
    private BatchRecord _batch = batch;
    private InputFile? _input;
    private BatchProgress? _noted;
    private long _notedAt;

    /// <summary>Works until the batch has ended, or the lease is lost.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        while (await LookAsync(cancellationToken))
        {
            try
            {
                await StepAsync(cancellationToken);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or InputException)
            {
                LogLater(e, _batch.Id);
                _input = null;
                await Task.Delay(AfterFault, parts.Time, cancellationToken);
            }
        }

        LogEnded(_batch.Id, _batch.Status);
    }

    private Task StepAsync(CancellationToken cancellationToken) => _batch.Status switch
    {
        BatchState.Validating => ValidateAsync(cancellationToken),
        BatchState.InProgress when !_batch.IsEnqueued => EnqueueAsync(cancellationToken),
        BatchState.InProgress => FollowAsync(cancellationToken),
        BatchState.Cancelling => CancelAsync(cancellationToken),
        _ => FinishAsync(BatchState.Completed, cancellationToken),
    };

    private async Task ValidateAsync(CancellationToken cancellationToken)
    {
        using var turn = await tools.Files.TakeAsync(cancellationToken);
        var (file, summary, faults) = await tools.Input.OpenAsync(_batch, cancellationToken);
        if (file is null || summary is null)
        {
            await FailAsync(faults, cancellationToken);
            return;
        }

        var refused = new List<BatchFault>();
        foreach (var model in summary.Models.Keys)
        {
            if (refused.Count < MostFaults && await AnsweredAsync(() => parts.Models.IsRefusedAsync(model), cancellationToken))
                refused.Add(new BatchFault("model_not_found", $"The model '{model}' does not exist", "body.model", null));
        }

        if (refused.Count > 0)
        {
            await FailAsync(refused, cancellationToken);
            return;
        }

        _input = file;
        await AnsweredAsync(() => records.MoveAsync(_batch, token, BatchState.InProgress, "total", summary.Rows, "models", string.Join('\n', summary.Models.Keys)), cancellationToken);
    }

    /// <summary>Puts all rows on their queues, those too that a Redis has lost in a failover.</summary>
    private async Task EnqueueAsync(CancellationToken cancellationToken)
    {
        using var turn = await tools.Queues.TakeAsync(cancellationToken);
        if (await InputAsync(cancellationToken) is not { } input)
            return;
        try
        {
            var all = await tools.Enqueuer.EnqueueAsync(
                _batch, input, async () => await LookAsync(cancellationToken) && _batch.Status == BatchState.InProgress, cancellationToken);
            if (all)
                await AnsweredAsync(() => RedisRetry.DoneAsync(records.MarkEnqueuedAsync(_batch)), cancellationToken);
        }
        catch (QueueLimitException e)
        {
            LogTooManyModels(_batch.Id, e.Message);
            await AnsweredAsync(() => RedisRetry.DoneAsync(parts.Queue.Batches.CancelAsync(_batch.Id)), cancellationToken);
            await FailAsync([new BatchFault("model_limit", $"There are as many models as this service takes, and '{e.Queue}' is not among them.", "model", null)], cancellationToken);
        }
    }

    private async Task FollowAsync(CancellationToken cancellationToken)
    {
        var poll = new BatchPoll(parts.Time);
        for (var ended = 0L; _batch.Status == BatchState.InProgress; await LookAsync(cancellationToken))
        {
            var progress = await ProgressAsync(cancellationToken);
            if (progress.Ended >= _batch.Total)
            {
                await AnsweredAsync(() => records.MoveAsync(_batch, token, BatchState.Finalizing), cancellationToken);
                return;
            }

            if (await NowAsync(cancellationToken) >= _batch.Expires)
            {
                await SettledAsync(_batch.Expires, _batch.Total, cancellationToken);
                await FinishAsync(BatchState.Expired, cancellationToken);
                return;
            }

            if (progress.Expected < _batch.Total)
                await EnqueueAsync(cancellationToken);
            await poll.WaitAsync(progress.Ended > ended, cancellationToken);
            // Each of its queues is asked: a batch with many of them is asked less often.
            await Task.Delay(PausePerModel * Math.Max(0, _batch.Models.Count - 1), parts.Time, cancellationToken);
            ended = progress.Ended;
        }
    }

    private async Task CancelAsync(CancellationToken cancellationToken)
    {
        if (_batch.Total == 0)
        {
            // It was not even looked at yet.
            await AnsweredAsync(() => records.EndAsync(_batch, token, BatchState.Cancelled, null, null), cancellationToken);
            return;
        }

        await AnsweredAsync(() => RedisRetry.DoneAsync(parts.Queue.Batches.CancelAsync(_batch.Id)), cancellationToken);
        var progress = await ProgressAsync(cancellationToken);
        await SettledAsync(_batch.Cancelling, progress.Expected, cancellationToken);
        await FinishAsync(BatchState.Cancelled, cancellationToken);
    }

    /// <summary>Waits until so many rows have ended, but not for ever: there may be no workers.</summary>
    private async Task SettledAsync(DateTimeOffset since, long rows, CancellationToken cancellationToken)
    {
        while ((await ProgressAsync(cancellationToken)).Ended < rows && await NowAsync(cancellationToken) < since + parts.Options.EndTimeout)
            await Task.Delay(SettlingPoll, parts.Time, cancellationToken);
    }

    private async Task FinishAsync(string to, CancellationToken cancellationToken)
    {
        using var turn = await tools.Files.TakeAsync(cancellationToken);
        if (await InputAsync(cancellationToken) is not { } input)
            return;
        var figures = await tools.Writer.WriteAsync(_batch, input, to, cancellationToken);
        await AnsweredAsync(() => records.EndAsync(_batch, token, to, figures.OutputBytes, figures.ErrorBytes, figures.Fields()), cancellationToken);
    }

    /// <summary>The checked file; null when it can't be had any more, which ends the batch.</summary>
    private async Task<InputFile?> InputAsync(CancellationToken cancellationToken)
    {
        if (_input is not null)
            return _input;
        (_input, _, var faults) = await tools.Input.OpenAsync(_batch, cancellationToken);
        if (_input is not null)
            return _input;
        await AnsweredAsync(() => RedisRetry.DoneAsync(parts.Queue.Batches.CancelAsync(_batch.Id)), cancellationToken);
        await FailAsync(faults, cancellationToken);
        return null;
    }

    private Task FailAsync(IReadOnlyList<BatchFault> faults, CancellationToken cancellationToken) => AnsweredAsync(
        () => records.EndAsync(_batch, token, BatchState.Failed, null, null, "errors", System.Text.Json.JsonSerializer.Serialize(faults, GatewayJson.Wire.IReadOnlyListBatchFault)), cancellationToken);

    /// <summary>Reads the batch again; false when there is nothing more to do.</summary>
    private async Task<bool> LookAsync(CancellationToken cancellationToken)
    {
        if (await AnsweredAsync(() => records.FindAsync(_owner, _batch.Id), cancellationToken) is not { } now)
            return false;
        _batch = now;
        return now.IsOpen;
    }

    /// <summary>Asks each queue of the batch how far its rows are, and notes that for the list of batches, at most once a second.</summary>
    private async Task<BatchProgress> ProgressAsync(CancellationToken cancellationToken)
    {
        var progress = await AnsweredAsync(() => parts.Queue.Batches.ProgressAsync(_batch.Id), cancellationToken);
        if (progress != _noted && (_noted is null || parts.Time.GetElapsedTime(_notedAt) >= BetweenNotes))
        {
            await AnsweredAsync(() => RedisRetry.DoneAsync(records.NoteAsync(_batch, progress)), cancellationToken);
            (_noted, _notedAt) = (progress, parts.Time.GetTimestamp());
        }

        return progress;
    }

    private Task<DateTimeOffset> NowAsync(CancellationToken cancellationToken) => AnsweredAsync(() => parts.Redis.Clock.NowAsync().AsTask(), cancellationToken);

    private Task<T> AnsweredAsync<T>(Func<Task<T>> call, CancellationToken cancellationToken) => RedisRetry.UntilAnsweredAsync(call, parts.Time, logger, cancellationToken);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Batch {Batch} fails: {Reason}")]
    private partial void LogTooManyModels(string batch, string reason);

    [LoggerMessage(Level = LogLevel.Information, Message = "Batch {Batch}: {Status}")]
    private partial void LogEnded(string batch, string status);

    [LoggerMessage(Level = LogLevel.Error, Message = "Batch {Batch} cannot go on now; trying again")]
    private partial void LogLater(Exception exception, string batch);
}
