using Microsoft.Extensions.Logging;

namespace LlmPipeline;

/// <summary>Takes one claimed job to its end: call, store, settle. The only place that gives a job up.</summary>
internal sealed partial class JobRunner(
    ILlmCaller caller, ResultStore results, LeaseKeeper leases, Settler settler, WorkerOptions options, TimeProvider time, ILogger<JobRunner> logger)
{
    /// <summary>Runs a held job. <paramref name="stands"/> is the status of a result that stands already.</summary>
    public async Task RunAsync(HeldJob held, ResultStatus? stands, CancellationToken giveUp)
    {
        var job = held.Claim.Job;
        if (stands is { } status)
        {
            await SettleAsync(held, status, await CostsOfAsync(job.Id, giveUp).ConfigureAwait(false)).ConfigureAwait(false);
            return;
        }

        using var span = WorkerTelemetry.Process(held.Claim, time.GetUtcNow());
        WorkerTelemetry.Wait.Record(held.Claim.Age.TotalSeconds, new KeyValuePair<string, object?>("messaging.destination.name", job.Queue));
        CallOutcome outcome;
        try
        {
            outcome = held.CancelAsked ? Cancelled(held.Claim)
                : held.Claim.Lost > options.MaxLost ? Poison(held.Claim)
                : await caller.CallAsync(job, held.Claim.Attempts, () => results.OpenStream(job.Id).Publish, held.Stopping).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (held.Stopping.IsCancellationRequested)
        {
            if (held.Lost)
                return;
            if (!held.CancelAsked)
            {
                await settler.ReleaseAsync(held).ConfigureAwait(false);
                return;
            }

            outcome = Cancelled(held.Claim);
        }
        catch (PromptFunctionException e)
        {
            outcome = Broken(held.Claim, "prompt_function", e.Message);
        }
        catch (Exception e) when (RedisRetry.MayPass(e))
        {
            // The prompt function could not be fetched: no verdict on the job.
            outcome = new CallOutcome { Verdict = CallVerdict.Retry, Attempts = held.Claim.Attempts, Delay = TimeSpan.FromSeconds(1) };
        }
        catch (Exception e)
        {
            LogUnexpected(e, job.Id);
            outcome = Unexpected(held.Claim, e);
        }

        WorkerTelemetry.End(span, outcome);
        await FinishAsync(held, outcome, giveUp).ConfigureAwait(false);
    }

    private async Task FinishAsync(HeldJob held, CallOutcome outcome, CancellationToken giveUp)
    {
        switch (outcome.Verdict)
        {
            case CallVerdict.Retry:
                await settler.RetryAsync(held, outcome.Attempts, outcome.Delay, outcome.Costs).ConfigureAwait(false);
                break;
            case CallVerdict.Release:
                await settler.ReleaseAsync(held).ConfigureAwait(false);
                break;
            case CallVerdict.Completed:
                await StoreAsync(held, ResultStatus.Completed, outcome, giveUp).ConfigureAwait(false);
                break;
            default:
                // An error is stored only by who certainly holds the job.
                if (await leases.RenewAsync(held, giveUp).ConfigureAwait(false))
                    await StoreAsync(held, Status(outcome.Verdict), outcome, giveUp).ConfigureAwait(false);
                break;
        }
    }

    private async Task StoreAsync(HeldJob held, ResultStatus status, CallOutcome outcome, CancellationToken giveUp)
    {
        var result = Result(held.Claim.Job, status, outcome);
        using var span = WorkerTelemetry.Store(status);
        var (stands, isPaidTwice) = await RedisRetry.UntilAnsweredAsync(() => results.StoreAsync(result), time, logger, giveUp).ConfigureAwait(false);
        WorkerTelemetry.Stored(held.Claim.Job.Queue, stands, isPaidTwice);
        await SettleAsync(held, stands, outcome.Costs).ConfigureAwait(false);
    }

    /// <summary>What the result has cost that a worker stored and could not settle any more: its claim has counted nothing.</summary>
    private async Task<IReadOnlyList<JobCost>> CostsOfAsync(string jobId, CancellationToken giveUp)
    {
        var result = await RedisRetry.UntilAnsweredAsync(() => results.GetAsync(jobId), time, logger, giveUp).ConfigureAwait(false);
        return result?.Meta is { Cost: { } cost, Deployment: { } deployment } ? [new JobCost(deployment, JobCost.NanosOf(cost))] : [];
    }

    /// <summary>Settles with the status that stands in the result store, whoever wrote it.</summary>
    private Task SettleAsync(HeldJob held, ResultStatus stands, IReadOnlyList<JobCost> costs) => stands switch
    {
        ResultStatus.Completed => settler.CompleteAsync(held, EndState.Completed, costs),
        ResultStatus.Expired => settler.CompleteAsync(held, EndState.Expired, costs),
        ResultStatus.Cancelled => settler.CompleteAsync(held, EndState.Cancelled, costs),
        _ => settler.BuryAsync(held, costs),
    };

    private static ResultStatus Status(CallVerdict verdict) => verdict switch
    {
        CallVerdict.Expired => ResultStatus.Expired,
        CallVerdict.Cancelled => ResultStatus.Cancelled,
        _ => ResultStatus.Failed,
    };

    private JobResult Result(Job job, ResultStatus status, CallOutcome outcome) => new()
    {
        JobId = job.Id,
        Status = status,
        Response = outcome.Body,
        Meta = new ResultMeta
        {
            CustomId = job.CustomId,
            RequestId = outcome.RequestId,
            StatusCode = outcome.StatusCode,
            Error = outcome.ErrorCode is null ? null : new ResultError(outcome.ErrorCode, outcome.ErrorMessage ?? outcome.ErrorCode),
            Model = job.Queue,
            Deployment = outcome.Deployment,
            InputTokens = outcome.Usage.Input,
            CachedTokens = outcome.Usage.Cached,
            OutputTokens = outcome.Usage.Output,
            Cost = outcome.Costs.Count > 0 ? JobCost.Amount(outcome.Costs.Sum(cost => cost.Nanos)) : null,
            Attempts = outcome.Attempts,
            Reasks = outcome.Reasks,
            Enqueued = job.Enqueued.ToUnixTimeMilliseconds(),
            Started = outcome.Started == default ? 0 : outcome.Started.ToUnixTimeMilliseconds(),
            Finished = time.GetUtcNow().ToUnixTimeMilliseconds(),
        },
    };

    private static CallOutcome Poison(ClaimedJob claim) => Broken(
        claim, "poison", $"given up: {claim.Lost} workers died or lost their lease while they ran it");

    private static CallOutcome Cancelled(ClaimedJob claim) => Broken(
        claim, claim.Job.Batch is null ? "job_cancelled" : "batch_cancelled", "cancelled before it was completed") with
    { Verdict = CallVerdict.Cancelled };

    private static CallOutcome Broken(ClaimedJob claim, string code, string message) => new()
    {
        Verdict = CallVerdict.Failed,
        ErrorCode = code,
        ErrorMessage = message,
        Attempts = claim.Attempts,
    };

    private static CallOutcome Unexpected(ClaimedJob claim, Exception e)
    {
        var attempts = claim.Attempts + 1;
        return attempts >= claim.Job.MaxAttempts
            ? Broken(claim, "internal_error", $"{e.GetType().Name} in the worker") with { Attempts = attempts }
            : new CallOutcome { Verdict = CallVerdict.Retry, Attempts = attempts, Delay = TimeSpan.FromSeconds(5) };
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "Job {JobId} met an error that should not happen; it is tried again")]
    private partial void LogUnexpected(Exception e, string jobId);
}
