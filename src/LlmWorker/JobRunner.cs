using Microsoft.Extensions.Logging;

namespace LlmPipeline;

/// <summary>Takes one claimed job to its end: call, store, settle. The only place that gives a job up.</summary>
internal sealed partial class JobRunner(
    ILlmCaller caller, ResultStore results, LeaseKeeper leases, ResultWriter writer, Settler settler, WorkerOptions options, TimeProvider time, ILogger<JobRunner> logger)
{
    /// <summary>
    /// Runs a held job until nothing is left to do but to store and to settle, which others do; then they end it. Where it throws, nobody does.
    /// </summary>
    /// <param name="held">The job.</param>
    /// <param name="stands">The status of a result that stands already; null for none.</param>
    /// <param name="giveUp">Ends it without an end: the lease runs out.</param>
    public async Task RunAsync(HeldJob held, ResultStatus? stands, CancellationToken giveUp)
    {
        var job = held.Claim.Job;
        if (stands is { } status)
        {
            settler.Settle(Settlement.With(status, held, await CostsOfAsync(held.Claim, giveUp).ConfigureAwait(false)));
            return;
        }

        var span = WorkerTelemetry.Process(held.Claim, time);
        held.Spans = (span, null);
        WorkerTelemetry.Wait.Record(held.Claim.Age.TotalSeconds, new KeyValuePair<string, object?>("messaging.destination.name", job.Queue));
        CallOutcome outcome;
        try
        {
            outcome = held.CancelAsked ? Cancelled(held.Claim)
                : held.Claim.Lost > options.MaxLost ? Poison(held.Claim)
                : !await held.EnterAsync().ConfigureAwait(false) ? new CallOutcome { Verdict = CallVerdict.Release }
                : await caller.CallAsync(job, held.Claim.Attempts, maxPause => results.OpenStream(job.Id, maxPause).PublishAsync, held.Progress, held.Stopping).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (held.Stopping.IsCancellationRequested)
        {
            if (held.Lost)
            {
                held.End();
                return;
            }

            if (!held.CancelAsked)
            {
                settler.Settle(new Settlement(SettleVerb.Release, held, []));
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

    private async ValueTask FinishAsync(HeldJob held, CallOutcome outcome, CancellationToken giveUp)
    {
        switch (outcome.Verdict)
        {
            case CallVerdict.Retry:
                settler.Settle(new Settlement(SettleVerb.Retry, held, outcome.Costs) { Attempts = outcome.Attempts, Delay = outcome.Delay, Used = UsedBy(held.Claim, outcome) });
                break;
            // Back to where it was, and uncharged; but what its calls have cost is spent, and only a retry counts that.
            case CallVerdict.Release when outcome.Costs.Count > 0:
                settler.Settle(new Settlement(SettleVerb.Retry, held, outcome.Costs) { Attempts = held.Claim.Attempts, Used = UsedBy(held.Claim, outcome) });
                break;
            case CallVerdict.Release:
                settler.Settle(new Settlement(SettleVerb.Release, held, []));
                break;
            case CallVerdict.Completed:
                Store(held, ResultStatus.Completed, outcome);
                break;
            // An error is stored only by who certainly holds the job.
            case var verdict when await leases.RenewAsync(held, giveUp).ConfigureAwait(false):
                Store(held, Status(verdict), outcome);
                break;
            default:
                held.End();
                break;
        }
    }

    private void Store(HeldJob held, ResultStatus status, CallOutcome outcome)
    {
        held.Spans = held.Spans with { Store = WorkerTelemetry.Store(status) };
        writer.Write(held, Result(held.Claim.Job, status, outcome, UsedBy(held.Claim, outcome)), outcome.Costs);
    }

    /// <summary>What the result has cost that a worker stored and could not settle any more: its claim has counted nothing.</summary>
    private async Task<IReadOnlyList<JobCost>> CostsOfAsync(ClaimedJob claim, CancellationToken giveUp)
    {
        var result = await RedisRetry.UntilAnsweredAsync(() => results.GetAsync(claim.Job.Id), time, logger, giveUp).ConfigureAwait(false);
        // What earlier claims have cost was counted with them.
        return result?.Meta is { Cost: { } cost, Deployment: { } deployment } && JobCost.NanosOf(cost) - (claim.Used.Nanos ?? 0) is > 0 and var nanos
            ? [new JobCost(deployment, nanos)]
            : [];
    }

    // A result tells of all calls of its job, also those under earlier claims.
    private static JobUsage UsedBy(ClaimedJob claim, CallOutcome outcome) => claim.Used + new JobUsage(
        outcome.Costs.Count > 0 ? outcome.Costs.Sum(cost => cost.Nanos) : null,
        outcome.Usage.Input, outcome.Usage.Cached, outcome.Usage.Output);

    private static ResultStatus Status(CallVerdict verdict) => verdict switch
    {
        CallVerdict.Expired => ResultStatus.Expired,
        CallVerdict.Cancelled => ResultStatus.Cancelled,
        _ => ResultStatus.Failed,
    };

    private JobResult Result(Job job, ResultStatus status, CallOutcome outcome, JobUsage used) => new()
    {
        JobId = job.Id,
        Status = status,
        Response = outcome.Body,
        Life = job.ResultLife,
        Meta = new ResultMeta
        {
            CustomId = job.CustomId,
            RequestId = outcome.RequestId,
            StatusCode = outcome.StatusCode,
            Error = outcome.ErrorCode is null ? null : new ResultError(outcome.ErrorCode, outcome.ErrorMessage ?? outcome.ErrorCode),
            Model = job.Model,
            Deployment = outcome.Deployment,
            InputTokens = used.Input,
            CachedTokens = used.Cached,
            OutputTokens = used.Output,
            UsageEstimated = outcome.IsUsageEstimated,
            Cost = used.Nanos is { } nanos ? JobCost.Amount(nanos) : null,
            Attempts = outcome.Attempts,
            Reasks = outcome.Reasks,
            Flags = outcome.Flags,
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
