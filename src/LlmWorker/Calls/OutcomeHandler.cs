using Microsoft.Extensions.Logging;

namespace LlmPipeline;

/// <summary>
/// Decides what follows from the outcome of a call: the end of the job, another try, a wait; and what it says of the deployment.
/// </summary>
/// <param name="options">How calls are made.</param>
/// <param name="deployments">Those that another try may go to.</param>
/// <param name="refusals">Decides what a refusal concerns.</param>
/// <param name="waits">The waits before another try.</param>
/// <param name="logger">Never gets prompts, completions or keys.</param>
internal sealed partial class OutcomeHandler(
    LlmOptions options, DeploymentSet deployments, RefusalJudge refusals, CallWaits waits, ILogger logger)
{
    private const string TimeoutCode = "request_timeout";
    private const int MostUndecidedTimeouts = 3;
    private const int MostReasks = 2;

    // An endpoint that turns away four in ten turns one row away so often once in a billion times.
    private const int MostThrottles = 24;
    private const int ThrottlesOfOneRow = 3;

    /// <summary>Whether an outcome is a refusal, which may concern more than its row.</summary>
    public static bool IsRefusal(OutcomeKind kind) => kind is OutcomeKind.DeploymentFault or OutcomeKind.AccountFault
        or OutcomeKind.Refused or OutcomeKind.ModelFault or OutcomeKind.Unexplained;

    /// <summary>Handles the outcome of a call.</summary>
    /// <param name="call">The job.</param>
    /// <param name="attempt">The call.</param>
    /// <param name="probed">The outage that the call probes; null for none.</param>
    /// <param name="cancellationToken">Breaks off the check of a key.</param>
    public async ValueTask<Turn> HandleAsync(JobCall call, CallAttempt attempt, Outage? probed, CancellationToken cancellationToken)
    {
        attempt = attempt with { Found = WithoutKeys(attempt.Deployment, attempt.Found) };
        Note(call, attempt);
        var (deployment, context, answer, found) = attempt;
        switch (found.Kind)
        {
            case OutcomeKind.Completion when call.Rendered?.Settings.Schema is { } schema
                && AnswerCheck.Of(schema, answer.Body) is { } unfit:
                return AskAgain(call, deployment, unfit);
            case OutcomeKind.Completion:
                call.Attempts++;
                return call.End(CallVerdict.Completed);
            case OutcomeKind.Permanent:
                return FailRow(call);
            case OutcomeKind.Transient when found.IsDown && IsAnotherUp(call, deployment):
                LogPassedOn(call.Job.Id, deployment.Name, found.Code!);
                return Turn.AtOnce;
            case OutcomeKind.Transient when attempt.Status == 503 && attempt.Model.IsStarting(context.Sent):
                return Uncharged(call, found.NotBefore);
            case OutcomeKind.Transient when found.Code == TimeoutCode:
                return TimedOut(call, attempt);
            case OutcomeKind.Transient:
                return Charge(call, attempt);
            case OutcomeKind.DeploymentFault:
                deployment.Close(default, found, call.Flow, isConfirmed: true);
                return Turn.AtOnce;
            case OutcomeKind.AccountFault or OutcomeKind.Refused or OutcomeKind.ModelFault or OutcomeKind.Unexplained:
                return await RefusedAsync(call, attempt, probed, cancellationToken);
            case OutcomeKind.Later:
                return Throttled(call, attempt);
            default:
                // While the model is shut, the choice of a deployment knows the wait or another one; between shut and open there is none.
                return attempt.Model.ShutFor > TimeSpan.Zero ? Turn.AtOnce : Uncharged(call, found.NotBefore);
        }
    }

    // Before a message is shown, logged or stored.
    private static Classified WithoutKeys(Deployment deployment, Classified found) => found.Message is not { } message
        ? found
        : found with
        {
            Message = deployment.WithoutKeys(message),
            Sentence = found.Sentence is { } sentence ? deployment.WithoutKeys(sentence) : null,
        };

    private static void Note(JobCall call, CallAttempt attempt)
    {
        var (deployment, _, answer, found) = attempt;
        if (found.Kind != OutcomeKind.NotSent)
            (call.Deployment, call.Answer, call.Last) = (deployment, answer, found);
        if (found.Kind == OutcomeKind.Completion)
            deployment.Succeeded(call.Model, call.Path, call.Flow);
        else if (found.Kind is not (OutcomeKind.NotSent or OutcomeKind.Permanent))
            deployment.Failed(found.Message!, found.Code!);
    }

    private Turn Uncharged(JobCall call, TimeSpan? notBefore) => waits.Postpone(call, waits.Backoff(++call.Uncharged, notBefore));

    private static CallOutcome FailRow(JobCall call)
    {
        call.Attempts++;
        return call.End(CallVerdict.Failed);
    }

    private Turn Charge(JobCall call, CallAttempt attempt)
    {
        var found = attempt.Found;
        call.Down.Clear();
        call.Attempts++;
        call.Uncharged = 0;
        LogRetry(call.Job.Id, attempt.Deployment.Name, found.Code!, call.Attempts);
        return call.Attempts >= Math.Min(call.MaxAttempts, found.MaxAttempts ?? int.MaxValue)
            ? call.End(CallVerdict.Failed)
            : waits.Postpone(call, waits.Backoff(call.Attempts, found.NotBefore));
    }

    // Rate limits pass by waiting. A row that is put off however often others succeed is too large for the limit, whatever its error says;
    // and an endpoint that never lets anything pass, without a word of a limit or a time, has more against the account than its rate.
    private Turn Throttled(JobCall call, CallAttempt attempt)
    {
        var (deployment, context, answer, found) = attempt;
        var model = attempt.Model;
        var alone = deployment.Evidence.Throttled(call.Job.Id, model.HasSucceededSince(context.Sent));
        if (alone >= MostThrottles)
            return FailRow(call);
        if (alone < ThrottlesOfOneRow)
            deployment.Throttle(call.Model, answer, found.NotBefore, found.Limit ?? found.Message);
        if (model.ThrottlesInARow >= MostThrottles / 2 && NamesNoLimit(answer, found))
        {
            deployment.Close(default, found, call.Flow, isConfirmed: true);
            return Turn.AtOnce;
        }

        // The first time another deployment may take it at once; after that even an endpoint that says "now" gets its pause.
        return ++call.Uncharged == 1 && deployments.Choose(call.Request).Route is { } other && other.Deployment != deployment
            ? Turn.AtOnce
            : waits.Postpone(call, waits.Backoff(call.Uncharged, found.NotBefore));
    }

    private static bool NamesNoLimit(HttpAnswer answer, Classified found) =>
        found is { NotBefore: null, Limit: null }
        && !answer.Body.IsEmpty
        && !ErrorWords.SayRateLimit($"{found.Code} {found.Message![(found.Message!.IndexOf(':') + 1)..]}");

    private Turn TimedOut(JobCall call, CallAttempt attempt)
    {
        var (_, context, _, found) = attempt;
        var model = attempt.Model;
        var mayBeUndecided = context.HadCompany && call.UndecidedTimeouts < MostUndecidedTimeouts;
        switch (model.Timeouts.Judge(call.Job.Id, context.Sent, mayBeUndecided))
        {
            case TimeoutVerdict.Deployment:
                model.Circuit.Open(found.Message!);
                return Uncharged(call, null);
            case TimeoutVerdict.SendAgain:
                call.UndecidedTimeouts++;
                return Uncharged(call, null);
            default:
                if (++call.Timeouts < options.MaxTimeouts)
                    return Charge(call, attempt);
                call.Attempts++;
                return call.End(
                    CallVerdict.Failed,
                    found.Code,
                    $"{found.Message}, {call.Timeouts} times: a longer --attempt-timeout (setting AttemptTimeout) may help");
        }
    }

    // A refusal that may concern more than its row: the row goes back uncharged until that is decided.
    private async ValueTask<Turn> RefusedAsync(JobCall call, CallAttempt attempt, Outage? probed, CancellationToken cancellationToken)
    {
        var (deployment, context, answer, found) = attempt;
        if (probed is not null && !refusals.IsOfRow(call, deployment, answer, found))
            return waits.AwaitDeployment(call, deployment.Availability.UntilProbe(probed));
        var (verdict, pause) = await refusals.JudgeAsync(call, deployment, context, answer, found, cancellationToken);
        return verdict switch
        {
            RefusalVerdict.Close => Turn.AtOnce,
            // A key that works for other rows is no fault of this one, and a 500 passes whatever its words are.
            RefusalVerdict.Row when attempt.Status is 401 or 407 or >= 500 => Charge(call, attempt),
            RefusalVerdict.Row => FailRow(call),
            _ => IsAnotherUp(call, deployment) ? Turn.AtOnce : waits.PutBack(call, pause, found.Code!, found.Message!),
        };
    }

    // A job is passed on once to each: when all are down, that was an attempt.
    private bool IsAnotherUp(JobCall call, Deployment down)
    {
        call.Down.Add(down);
        return deployments.Choose(call.Request).Route is { } other && !call.Down.Contains(other.Deployment);
    }

    // The next turn is a call like any other, with its own quota; it charges no attempt.
    private static Turn AskAgain(JobCall call, Deployment deployment, AnswerCheck unfit)
    {
        if (call.Reasks == MostReasks || !unfit.MayRepair)
        {
            call.Attempts++;
            var message = unfit.MayRepair
                ? $"the answer does not fit the schema, asked {MostReasks + 1} times: {unfit.Faults}"
                : unfit.Faults;
            return call.End(CallVerdict.Failed, unfit.Code, message);
        }

        call.Reasks++;
        Telemetry.Reask(deployment, call.Job.Model);
        call.Rendered = (unfit.Ask(call.Conversation), call.Rendered!.Value.Settings);
        return Turn.AtOnce;
    }

    [LoggerMessage(LogLevel.Debug, "Job {JobId} found {Deployment} down with {Code} and goes to another")]
    private partial void LogPassedOn(string jobId, string deployment, string code);

    [LoggerMessage(LogLevel.Debug, "Job {JobId} failed on {Deployment} with {Code}, attempt {Attempt}")]
    private partial void LogRetry(string jobId, string deployment, string code, int attempt);
}
