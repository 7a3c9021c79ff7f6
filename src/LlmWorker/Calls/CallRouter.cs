namespace LlmPipeline;

/// <summary>One turn of a job: checks it, chooses a deployment, makes the call, and handles its outcome.</summary>
/// <param name="options">How calls are made.</param>
/// <param name="deployments">Those to choose from.</param>
/// <param name="prompts">Renders prompt jobs.</param>
/// <param name="trials">The starts of batches.</param>
/// <param name="waits">The waits before another try.</param>
/// <param name="sender">Makes the call.</param>
/// <param name="outcomes">Handles the outcome of the call.</param>
/// <param name="time">The clock.</param>
internal sealed class CallRouter(
    LlmOptions options,
    DeploymentSet deployments,
    PromptSender prompts,
    BatchTrials trials,
    CallWaits waits,
    CallSender sender,
    OutcomeHandler outcomes,
    TimeProvider time)
{
    // Jobs of other batches want the slot too.
    private static readonly TimeSpan LongestTrialWait = TimeSpan.FromSeconds(2);

    /// <summary>Takes the next turn.</summary>
    public async ValueTask<Turn> TryAsync(JobCall call, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var model = call.Job.Model;
        if (call.Job.Deadline <= time.GetUtcNow())
            return CallWaits.Expired(call);
        if (call.Attempts >= call.MaxAttempts)
            return call.Answer is null
                ? call.End(CallVerdict.Failed, "attempts_exhausted", $"all {call.MaxAttempts} attempts are used up")
                : call.End(CallVerdict.Failed);
        if (call.Job.Work is RequestWork { Path: var path } && !RequestSender.IsPath(path))
            return call.End(CallVerdict.Failed, "invalid_url", "the job's path is not one of the API, such as /v1/chat/completions");
        try
        {
            if (call.Job.Work is PromptWork prompt)
                call.Rendered ??= await prompts.RenderAsync(prompt, cancellationToken);
        }
        catch (PromptFunctionException e)
        {
            return call.End(CallVerdict.Failed, "prompt_function", e.Message);
        }

        if (call.Job.Batch is not { } batch)
            return await SendToBestAsync(call, cancellationToken);
        var trialWait = options.MaxInlineWait < LongestTrialWait ? options.MaxInlineWait : LongestTrialWait;
        using var wait = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, call.Progress.StopSending);
        if (!await trials.EnterAsync(batch, model, call.Job.Row, trialWait, time, wait.Token))
            return waits.PutBack(call, TimeSpan.FromSeconds(1), "batch_trial", "the first calls of the batch have no answer yet");
        var isSuccess = false;
        try
        {
            var turn = await SendToBestAsync(call, cancellationToken);
            isSuccess = call.Last.Kind == OutcomeKind.Completion && call.Deployment is not null;
            return turn;
        }
        finally
        {
            trials.Leave(batch, model, isSuccess);
        }
    }

    private async ValueTask<Turn> SendToBestAsync(JobCall call, CancellationToken cancellationToken)
    {
        var choice = deployments.Choose(call.Request);
        if (choice is { Outage: { } due, Route: { } to } && !to.Deployment.Availability.TryBeginProbe(due, call.Flow))
            choice = deployments.Choose(call.Request with { MayProbe = false });
        if (choice.Route is not ({ } deployment, { } served))
            return choice.Wait is { } wait ? waits.AwaitDeployment(call, wait) : NoDeployment(call);
        if (choice.Outage is not { } outage)
            return await SendAsync(call, deployment, served, null, cancellationToken);
        var isRefused = false;
        try
        {
            // Where the key is what was refused, it is checked before a row is spent on it.
            if (outage.Scope.Model is null && await deployment.Key.CheckAsync(cancellationToken) == KeyState.Refused)
            {
                isRefused = true;
                return waits.AwaitDeployment(call, deployment.Availability.UntilProbe(outage));
            }

            var turn = await SendAsync(call, deployment, served, outage, cancellationToken);
            isRefused = OutcomeHandler.IsRefusal(call.Last.Kind) && call.Deployment == deployment;
            return turn;
        }
        finally
        {
            deployment.Availability.EndProbe(outage, call.Flow, isRefused);
        }
    }

    private async ValueTask<Turn> SendAsync(
        JobCall call, Deployment deployment, string served, Outage? probed, CancellationToken cancellationToken)
    {
        var attempt = await sender.SendAsync(call, deployment, served, cancellationToken);
        return await outcomes.HandleAsync(call, attempt, probed, cancellationToken);
    }

    private static CallOutcome NoDeployment(JobCall call) =>
        call.End(CallVerdict.Release, call.Last.Code ?? "no_deployment", $"no deployment serves the model {call.Job.Model}");
}
