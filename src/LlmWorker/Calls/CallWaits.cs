namespace LlmPipeline;

/// <summary>How long a job waits before its next try, and where: in its slot as long as the wait is short, else in the queue.</summary>
/// <param name="options">How calls are made.</param>
/// <param name="deployments">Those that may serve it.</param>
/// <param name="time">The clock.</param>
internal sealed class CallWaits(LlmOptions options, DeploymentSet deployments, TimeProvider time)
{
    /// <summary>From 0 to 1; a test that sets it removes the randomness.</summary>
    public Func<double> Jitter { get; set; } = Random.Shared.NextDouble;

    /// <summary>The end of a job whose deadline comes before its next try.</summary>
    public static CallOutcome Expired(JobCall call) => call.End(
        CallVerdict.Expired,
        call.Job.Batch is null ? "job_expired" : "batch_expired",
        "the request could not be completed before its deadline");

    /// <summary>The end of a job whose next call is not to be sent any more: it waits on its queue again, uncharged.</summary>
    public static CallOutcome Unsent(JobCall call) => call.End(CallVerdict.Release, "not_sent", "the worker stops and sends no more calls");

    /// <summary>The wait after failures in a row.</summary>
    /// <param name="failures">Their number, from 1.</param>
    /// <param name="notBefore">The wait that the provider asks for; null for none.</param>
    public TimeSpan Backoff(int failures, TimeSpan? notBefore) =>
        RetryDelays.After(failures, options.RetryBase, options.LongestRetry, notBefore, Jitter());

    /// <summary>Waits for the next try: in its slot up to <see cref="LlmOptions.MaxInlineWait"/>, else in the queue.</summary>
    public Turn Postpone(JobCall call, TimeSpan wait)
    {
        if (IsTooLate(call, wait))
            return Expired(call);
        return wait <= options.MaxInlineWait
            ? new Turn(null, wait)
            : call.End(
                CallVerdict.Retry, call.Last.Code ?? "not_sent", call.Last.Message ?? "the endpoint takes no calls at the moment", wait);
    }

    /// <summary>Waits in the queue, however short the wait is: other jobs use its slot meanwhile.</summary>
    public Turn PutBack(JobCall call, TimeSpan wait, string code, string message) =>
        IsTooLate(call, wait) ? Expired(call) : call.End(CallVerdict.Retry, code, message, wait);

    /// <summary>Waits until a deployment may be called: each is rate-limited, left alone or unavailable.</summary>
    /// <param name="call">The job.</param>
    /// <param name="wait">The time until the first of them may be called.</param>
    public Turn AwaitDeployment(JobCall call, TimeSpan wait)
    {
        var pause = RetryDelays.AfterGate(wait, Jitter());
        Outage? outage = null;
        foreach (var (deployment, model) in deployments.For(call.Job.Model))
        {
            if (deployment.Availability.Find(model, call.Path, call.Flow) is not { } found)
                continue;
            deployment.Availability.PutOff(found);
            outage ??= found;
        }

        if (outage is null)
            return Postpone(call, pause);
        // The longer it lasts the rarer its rows are claimed for nothing.
        pause += TimeSpan.FromSeconds(Jitter() * Math.Min(30, Math.Pow(2, outage.FailedProbes)));
        return PutBack(call, pause, outage.Code, outage.Reason);
    }

    private bool IsTooLate(JobCall call, TimeSpan wait) => call.Job.Deadline is { } due && due - time.GetUtcNow() <= wait;
}
