using Microsoft.Extensions.Logging;

namespace LlmPipeline;

/// <summary>What follows from the answer to a call.</summary>
public sealed partial class LlmCaller
{
    private const string TimeoutCode = "request_timeout";
    private const int MostUndecidedTimeouts = 3;

    // An endpoint that turns away four in ten turns one row away so often once in a billion times.
    private const int MostThrottles = 24;
    private const int ThrottlesOfOneRow = 3;

    private async ValueTask<Turn> ConcludeAsync(
        JobCall call, Deployment deployment, CallContext context, HttpAnswer answer, Classified found, Outage? probed, CancellationToken cancellationToken)
    {
        var model = call.Model;
        // Before anybody shows, logs or stores it.
        if (found.Message is { } message)
            found = found with { Message = deployment.WithoutKeys(message), Sentence = found.Sentence is { } sentence ? deployment.WithoutKeys(sentence) : null };
        if (found.Kind != OutcomeKind.NotSent)
            (call.Deployment, call.Answer, call.Last) = (deployment, answer, found);
        if (found.Kind == OutcomeKind.Completion)
            deployment.Succeeded(model, call.Path, call.Flow);
        else if (found.Kind is not (OutcomeKind.NotSent or OutcomeKind.Permanent))
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
            case OutcomeKind.Transient when (found.Status ?? answer.Status) == 503 && deployment.Of(model).IsStarting(context.Sent):
                return Postpone(call, Backoff(++call.Uncharged, found.NotBefore));
            case OutcomeKind.Transient when found.Code == TimeoutCode:
                return TimedOut(call, deployment, context, found);
            case OutcomeKind.Transient:
                return Charge(call, deployment, found);
            case OutcomeKind.DeploymentFault:
                deployment.Close(default, found, call.Flow, isConfirmed: true);
                return Turn.AtOnce;
            case OutcomeKind.AccountFault or OutcomeKind.Refused or OutcomeKind.ModelFault or OutcomeKind.Unexplained:
                return await RefuseAsync(call, deployment, context, answer, found, probed, cancellationToken);
            case OutcomeKind.Later:
                return Throttled(call, deployment, context, answer, found);
            default:
                // When it is shut, the choice knows for how long, or of another one; between shut and open the pause has to be made up.
                return deployment.Of(model).ShutFor > TimeSpan.Zero ? Turn.AtOnce : Postpone(call, Backoff(++call.Uncharged, found.NotBefore));
        }
    }

    private static bool IsRefusal(OutcomeKind kind) =>
        kind is OutcomeKind.DeploymentFault or OutcomeKind.AccountFault or OutcomeKind.Refused or OutcomeKind.ModelFault or OutcomeKind.Unexplained;

    private Turn Charge(JobCall call, Deployment deployment, Classified found)
    {
        call.Down.Clear();
        call.Attempts++;
        call.Uncharged = 0;
        LogRetry(call.Job.Id, deployment.Name, found.Code!, call.Attempts);
        return call.Attempts >= Math.Min(call.MaxAttempts, found.MaxAttempts ?? int.MaxValue) ? call.End(CallVerdict.Failed) : Postpone(call, Backoff(call.Attempts, found.NotBefore));
    }

    // Rate limits pass by waiting. A row that is put off however often others succeed is too large for the limit, whatever its error says; and an endpoint that never lets
    // anything pass, without a word of a limit or a time, has more against the account than its rate.
    private Turn Throttled(JobCall call, Deployment deployment, CallContext context, HttpAnswer answer, Classified found)
    {
        var model = deployment.Of(call.Model);
        var alone = deployment.Evidence.Throttled(call.Job.Id, model.HasSucceededSince(context.Sent));
        if (alone >= MostThrottles)
            return Own(call);
        if (alone < ThrottlesOfOneRow)
            deployment.Throttle(call.Model, answer, found.NotBefore, found.Limit ?? found.Message);
        if (model.ThrottlesInARow >= MostThrottles / 2 && found is { NotBefore: null, Limit: null } && !answer.Body.IsEmpty && !ErrorWords.SayRateLimit($"{found.Code} {found.Message![(found.Message!.IndexOf(':') + 1)..]}"))
        {
            deployment.Close(default, found, call.Flow, isConfirmed: true);
            return Turn.AtOnce;
        }

        // The first time another deployment may take it at once; after that even an endpoint that says "now" gets its pause.
        return ++call.Uncharged == 1 && _deployments.Choose(call.Request).Route is { } other && other.Deployment != deployment
            ? Turn.AtOnce
            : Postpone(call, Backoff(call.Uncharged, found.NotBefore));
    }

    private Turn TimedOut(JobCall call, Deployment deployment, CallContext context, Classified found)
    {
        var model = deployment.Of(call.Model);
        switch (model.Timeouts.Judge(call.Job.Id, context.Sent, context.HadCompany && call.UndecidedTimeouts < MostUndecidedTimeouts))
        {
            case TimeoutVerdict.Deployment:
                model.Circuit.Open(found.Message!);
                return Postpone(call, Backoff(++call.Uncharged, null));
            case TimeoutVerdict.SendAgain:
                call.UndecidedTimeouts++;
                return Postpone(call, Backoff(++call.Uncharged, null));
            default:
                if (++call.Timeouts < _options.MaxTimeouts)
                    return Charge(call, deployment, found);
                call.Attempts++;
                return call.End(CallVerdict.Failed, found.Code, $"{found.Message}, {call.Timeouts} times: a longer --attempt-timeout (setting AttemptTimeout) may help");
        }
    }

    // A refusal that may concern more than its row: the row goes back uncharged until that is decided.
    private async ValueTask<Turn> RefuseAsync(
        JobCall call, Deployment deployment, CallContext context, HttpAnswer answer, Classified found, Outage? probed, CancellationToken cancellationToken)
    {
        if (probed is not null)
            return Shut(call, deployment.Availability.UntilProbe(probed));
        var (verdict, pause) = await _refusals.JudgeAsync(call, deployment, context, answer, found, cancellationToken);
        switch (verdict)
        {
            case RefusalVerdict.Close:
                return Turn.AtOnce;
            // A key that works for others is none of the row's.
            case RefusalVerdict.Row when (found.Status ?? answer.Status) is 401 or 407:
                return Charge(call, deployment, found);
            case RefusalVerdict.Row:
                return Own(call);
            default:
                call.Down.Add(deployment);
                return _deployments.Choose(call.Request).Route is { } other && !call.Down.Contains(other.Deployment)
                    ? Turn.AtOnce
                    : PutBack(call, pause, found.Code!, found.Message!);
        }
    }

    private static CallOutcome Own(JobCall call)
    {
        call.Attempts++;
        return call.End(CallVerdict.Failed);
    }

    // Every deployment is rate-limited, left alone or unavailable for so long.
    private Turn Shut(JobCall call, TimeSpan wait)
    {
        var pause = RetryDelays.AfterGate(wait, Jitter());
        Outage? outage = null;
        foreach (var (deployment, model) in _deployments.For(call.Job.Model))
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

    // Through the queue, however short the wait is: others get its slot meanwhile.
    private Turn PutBack(JobCall call, TimeSpan wait, string code, string message) =>
        call.Job.Deadline is { } due && due - _time.GetUtcNow() <= wait ? Expired(call) : call.End(CallVerdict.Retry, code, message, wait);

    // A job is passed on once to each: when all are down, that was an attempt.
    private bool IsAnotherUp(JobCall call, Deployment down)
    {
        call.Down.Add(down);
        return _deployments.Choose(call.Request).Route is { } other && !call.Down.Contains(other.Deployment);
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
        Telemetry.Reask(deployment, call.Job.Model);
        call.Rendered = (unfit.Ask(call.Heard), call.Rendered!.Value.Settings);
        return Turn.AtOnce;
    }

    private TimeSpan Backoff(int failures, TimeSpan? notBefore) =>
        RetryDelays.After(failures, _options.RetryBase, _options.LongestRetry, notBefore, Jitter());

    private Turn Postpone(JobCall call, TimeSpan wait)
    {
        if (call.Job.Deadline is { } due && due - _time.GetUtcNow() <= wait)
            return Expired(call);
        return wait <= _options.MaxInlineWait
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
