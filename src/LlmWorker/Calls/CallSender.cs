using Microsoft.Extensions.Logging;
using Microsoft.SemanticKernel.ChatCompletion;

namespace LlmPipeline;

/// <summary>Makes one call of a job on a deployment, and classifies its outcome.</summary>
/// <param name="options">How calls are made.</param>
/// <param name="prompts">Sends prompt jobs.</param>
/// <param name="large">Where large answers wait to be read.</param>
/// <param name="time">The clock.</param>
/// <param name="logger">Gets a line for each field that a model refuses.</param>
internal sealed partial class CallSender(LlmOptions options, PromptSender prompts, LargeAnswers large, TimeProvider time, ILogger logger)
{
    /// <summary>Calls, and adds tokens and costs to the job.</summary>
    /// <param name="call">The job; a prompt is rendered.</param>
    /// <param name="deployment">Where to.</param>
    /// <param name="served">The model that is asked for.</param>
    /// <param name="cancellationToken">Breaks it off. A completion that has arrived is still returned.</param>
    /// <exception cref="OperationCanceledException">It was broken off, or no more calls are to be sent.</exception>
    public async ValueTask<CallAttempt> SendAsync(
        JobCall call, Deployment deployment, string served, CancellationToken cancellationToken)
    {
        if (call.Failed is not null)
            deployment.CountRetry(served);
        call.Model = served;
        var context = ContextOf(call, deployment, served);
        var failure = await SendAsync(call, deployment, context, cancellationToken);
        var answer = context.Answers.Count > 0
            ? context.Answers[^1]
            : new HttpAnswer { Failure = failure, Started = time.GetUtcNow() };
        var found = context.Answers.Count > 0 ? Outcomes.Classify(answer, options.Dialects) : Outcomes.Unsent(failure);
        if (found.Kind != OutcomeKind.Completion || (failure is not null && !IsWhole(call, failure, answer)))
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (found.Kind == OutcomeKind.Completion)
                found = new Classified(OutcomeKind.Transient, "invalid_response", "the answer is JSON but not a chat completion");
        }

        // A job that did not ask for a response in the background may get an answer the next time.
        if (found.Code == CompletionCheck.Background && !call.AsksBackground)
            found = found with { Kind = OutcomeKind.Transient };
        call.Usage += context.Usage;
        call.IsUsageEstimated |= context.IsUsageEstimated;
        call.Pay(deployment.Name, context.Nanos);
        if (context.IsUnsent)
            throw new OperationCanceledException(call.Progress.StopSending);
        return new CallAttempt(deployment, context, answer, found.Bounded(options.MaxRetryAfter));
    }

    private CallContext ContextOf(JobCall call, Deployment deployment, string served)
    {
        var price = options.PriceOf(deployment.Options, served);
        return new CallContext(call.Job.Id, served, call.Job.AttemptTimeout ?? deployment.Options.AttemptTimeout ?? options.AttemptTimeout)
        {
            Price = price,
            EstimatesUsage = options.EstimateUsage && price is not null,
            Flow = call.Flow,
            Progress = call.Progress,
            Path = call.Path,
            Inputs = call.Inputs,
            MaxAnswerBytes = options.MaxAnswerBytes,
            LargeAnswers = large,
        };
    }

    // What went wrong is classified from the HTTP call itself, which the handler has kept: the SDKs' exceptions differ and hide the answer.
    private async Task<Exception?> SendAsync(
        JobCall call, Deployment deployment, CallContext context, CancellationToken cancellationToken)
    {
        CallContext.Current = context;
        try
        {
            if (call.Job.Work is RequestWork request)
            {
                await RequestSender.SendAsync(deployment, call.Job.Model, call.Model, request, call.Stream, cancellationToken);
            }
            else if (call.Rendered is { } prompt)
            {
                return await SendPromptAsync(call, deployment, prompt.Messages, prompt.Settings, cancellationToken);
            }

            return null;
        }
        catch (Exception e)
        {
            return e;
        }
    }

    // A model that refuses a field, as reasoning models do temperature, is asked without it, from now on.
    private async Task<Exception?> SendPromptAsync(
        JobCall call, Deployment deployment, ChatHistory messages, PromptSettings settings, CancellationToken cancellationToken)
    {
        var model = deployment.ProviderModel(call.Model);
        var refused = deployment.Refused.Of(model);
        while (true)
        {
            var sent = settings.Without(refused) ?? settings;
            // A tool loop adds its messages, and another try begins from the start.
            call.Conversation = new ChatHistory(messages);
            Exception? failure = null;
            try
            {
                await prompts.SendAsync(deployment, call.Model, call.Conversation, sent, cancellationToken);
            }
            catch (Exception e)
            {
                failure = e;
            }

            if (CallContext.Current.Answers is not [.., var last]
                || RefusedField.Find(last, sent.Refusable) is not { } field
                || refused.Contains(field)
                || settings.Without(refused.Add(field)) is null)
                return failure;
            refused = refused.Add(field);
            if (deployment.Refused.Add(model, field))
                LogRefused(deployment.Name, model, field, PromptSettings.OtherNameOf(field) is { } other ? $"sent as {other}" : "left out");
        }
    }

    // Whether the answer is complete although the SDK threw: because it was cancelled just then, or because it reads more into the answer
    // than is asked here.
    private static bool IsWhole(JobCall call, Exception failure, HttpAnswer answer) =>
        call.Rendered is not { } prompt
        || (prompt.Settings.Tools is null && (failure is OperationCanceledException || AnswerCheck.IsChat(answer.Body)));

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Deployment}: {Model} refuses the setting {Field}; it is {Handling} from now on")]
    private partial void LogRefused(string deployment, string model, string field, string handling);
}
