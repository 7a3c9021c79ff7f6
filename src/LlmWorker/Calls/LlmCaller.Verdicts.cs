using Microsoft.Extensions.Logging;

namespace LlmPipeline;

/// <summary>What follows from the answer to a call.</summary>
public sealed partial class LlmCaller
{
    private Turn Conclude(JobCall call, Deployment deployment, HttpAnswer answer, Classified found)
    {
        var model = call.Model;
        // Before anybody shows, logs or stores it.
        if (found.Message is { } message)
            found = found with { Message = deployment.WithoutKeys(message) };
        if (found.Kind != OutcomeKind.NotSent)
            (call.Deployment, call.Answer, call.Last) = (deployment, answer, found);
        if (found.Kind is OutcomeKind.Completion or OutcomeKind.Permanent)
            deployment.Succeeded();
        else if (found.Kind != OutcomeKind.NotSent)
            deployment.Failed(found.Message);

        switch (found.Kind)
        {
            case OutcomeKind.Completion when call.Rendered?.Settings.Schema is { } schema && AnswerCheck.Of(schema, answer.Body) is { } unfit:
                return AskAgain(call, deployment, unfit);
            case OutcomeKind.Completion:
                call.Attempts++;
                return call.End(CallVerdict.Completed);
            case OutcomeKind.Permanent:
                call.Attempts++;
                return call.End(CallVerdict.Failed);
            case OutcomeKind.Transient when found.IsDown && IsAnotherUp(call, deployment):
                LogPassedOn(call.Job.Id, deployment.Name, found.Code!);
                return Turn.AtOnce;
            case OutcomeKind.Transient:
                call.Down.Clear();
                call.Attempts++;
                call.Uncharged = 0;
                LogRetry(call.Job.Id, deployment.Name, found.Code!, call.Attempts);
                return call.Attempts >= call.MaxAttempts ? call.End(CallVerdict.Failed) : Postpone(call, Backoff(call.Attempts, found.NotBefore));
            case OutcomeKind.DeploymentFault:
                deployment.Close(found.Message!);
                return Turn.AtOnce;
            case OutcomeKind.ModelFault:
                deployment.Close(model, found.Message!);
                return Turn.AtOnce;
            case OutcomeKind.Later:
                deployment.Throttle(model, answer, found.NotBefore);
                // The first time another deployment may take it at once; after that even an endpoint that says "now" gets its pause.
                return ++call.Uncharged == 1 && _deployments.Choose(call.Job.Queue, deployment, call.Down).Route is { } other && other.Deployment != deployment
                    ? Turn.AtOnce
                    : Postpone(call, Backoff(call.Uncharged, found.NotBefore));
            default:
                // When it is shut, the choice knows for how long, or of another one; between shut and open the pause has to be made up.
                return deployment.ShutFor > TimeSpan.Zero ? Turn.AtOnce : Postpone(call, Backoff(++call.Uncharged, found.NotBefore));
        }
    }

    // A job is passed on once to each: when all are down, that was an attempt.
    private bool IsAnotherUp(JobCall call, Deployment down)
    {
        call.Down.Add(down);
        return _deployments.Choose(call.Job.Queue, down, call.Down).Route is { } other && !call.Down.Contains(other.Deployment);
    }

    // The next turn is a call like any other, with its own quota; it charges no attempt.
    private static Turn AskAgain(JobCall call, Deployment deployment, AnswerCheck unfit)
    {
        if (call.Reasks == MostReasks || !unfit.MayMend)
        {
            call.Attempts++;
            return call.End(CallVerdict.Failed, unfit.Code, unfit.MayMend ? $"the answer does not fit the schema, asked {MostReasks + 1} times: {unfit.Faults}" : unfit.Faults);
        }
        call.Reasks++;
        Telemetry.Reask(deployment, call.Job.Queue);
        call.Rendered = (unfit.Ask(call.Heard), call.Rendered!.Value.Settings);
        return Turn.AtOnce;
    }

    private TimeSpan Backoff(int failures, TimeSpan? notBefore) =>
        RetryDelays.After(failures, _options.RetryBase, _options.LongestRetry, notBefore, Jitter());

    private Turn Postpone(JobCall call, TimeSpan wait)
    {
        if (call.Job.Deadline is { } due && due - _time.GetUtcNow() <= wait)
            return Expired(call);
        return wait <= _options.Patience
            ? new Turn(null, wait)
            : call.End(CallVerdict.Retry, call.Last.Code ?? "not_sent", call.Last.Message ?? "the endpoint takes no calls at the moment", wait);
    }

    private static CallOutcome Expired(JobCall call) => call.End(
        CallVerdict.Expired, call.Job.Batch is null ? "job_expired" : "batch_expired", "the request could not be completed before its deadline");

    [LoggerMessage(LogLevel.Debug, "Job {JobId} found {Deployment} down with {Code} and goes to another")]
    private partial void LogPassedOn(string jobId, string deployment, string code);

    [LoggerMessage(LogLevel.Debug, "Job {JobId} failed on {Deployment} with {Code}, attempt {Attempt}")]
    private partial void LogRetry(string jobId, string deployment, string code, int attempt);
}
