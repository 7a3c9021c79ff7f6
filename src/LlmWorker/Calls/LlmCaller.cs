using Microsoft.Extensions.Logging;
using Microsoft.SemanticKernel;
using Microsoft.SemanticKernel.ChatCompletion;
using Polly;
using Polly.Retry;

namespace LlmPipeline;

/// <summary>
/// Calls the LLM for a claimed job, in both lanes: chooses a deployment, waits for its quota, calls, classifies what comes back, and tries again
/// as long as the wait is short. It stores nothing and settles nothing. Safe for many calls at once.
/// </summary>
public sealed partial class LlmCaller : ILlmCaller, IAsyncDisposable
{
    // A longer timer is refused by the runtime, and a worker does not live that long.
    private static readonly TimeSpan LongestTimer = TimeSpan.FromDays(24);
    private static readonly TimeSpan LongestLook = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan ShortestLook = TimeSpan.FromMilliseconds(10);
    // Jobs of other batches want the slot too.
    private static readonly TimeSpan TrialWait = TimeSpan.FromSeconds(2);
    private const int MostReasks = 2;

    private readonly LlmOptions _options;
    private readonly DeploymentSet _deployments;
    private readonly PromptSender _prompts;
    private readonly ResiliencePipeline<Turn> _retry;
    private readonly Pulse _room = new();
    private readonly BatchTrials _trials = new();
    private readonly RefusalJudge _refusals;
    private readonly QuotaGauge _gauge;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;

    /// <summary>Makes the clients of all deployments; no connection is opened yet.</summary>
    /// <param name="options">Checked here.</param>
    /// <param name="functions">The prompt function of a hash. Called for each prompt job, so it should remember; what it throws comes out of the call.</param>
    /// <param name="timeProvider">The clock of all waits.</param>
    /// <param name="loggerFactory">Never gets prompts, completions or keys.</param>
    /// <param name="kernel">Its plugins are what prompt functions may call; null for none.</param>
    /// <param name="fleet">The Redis of a fleet, whose workers share the quota of each deployment by its name; asked for with each call. Null when this process has them to itself.</param>
    /// <exception cref="LlmSettingsException">The options cannot work: a line a fault.</exception>
    public LlmCaller(
        LlmOptions options,
        Func<string, CancellationToken, ValueTask<PromptFunction>> functions,
        TimeProvider timeProvider,
        ILoggerFactory loggerFactory,
        Kernel? kernel = null,
        Func<RedisConnections>? fleet = null)
    {
        if (options.Faults() is { Count: > 0 } faults)
            throw new LlmSettingsException(string.Join(Environment.NewLine, faults));
        _options = options;
        _time = timeProvider;
        _logger = loggerFactory.CreateLogger<LlmCaller>();
        _prompts = new PromptSender(functions, kernel ?? new Kernel());
        var estimator = new TokenEstimator();
        _deployments = new DeploymentSet(
            [.. options.Deployments.Select(one => new Deployment(one, fleet, options, estimator, _room.Set, () => AvailabilityChanged?.Invoke(), timeProvider, _logger))],
            options.Fallbacks.ToDictionary(one => one.Model ?? "*", one => one.To, StringComparer.Ordinal), options.MaxInlineWait);
        _refusals = new RefusalJudge(options, _trials, timeProvider);
        _gauge = new QuotaGauge(_deployments.All);
        _retry = new ResiliencePipelineBuilder<Turn> { TimeProvider = timeProvider }
            .AddRetry(new RetryStrategyOptions<Turn>
            {
                ShouldHandle = static args => ValueTask.FromResult(args.Outcome.Result is { End: null }),
                MaxRetryAttempts = int.MaxValue,
                DelayGenerator = static args => ValueTask.FromResult<TimeSpan?>(args.Outcome.Result!.Wait),
            })
            .Build();
    }

    // From 0 to 1; tests take the chance out of it.
    internal Func<double> Jitter { get; init; } = Random.Shared.NextDouble;

    /// <summary>Whether any deployment serves this model.</summary>
    public bool Serves(string model) => _deployments.For(model).Any();

    /// <summary>Whether a simulator that marks its answers is all that serves a model: each deployment is asked for its list of models, which costs nothing.</summary>
    public async Task<bool> IsSimulatedAsync(string model, CancellationToken cancellationToken)
    {
        foreach (var deployment in _deployments.For(model).Select(route => route.Deployment).Distinct())
        {
            if (!await deployment.Key.IsSimulatorAsync(cancellationToken))
                return false;
        }

        return true;
    }

    /// <summary>Does the LLM work of a job until it ends, or until only a wait longer than <see cref="LlmOptions.MaxInlineWait"/> could help.</summary>
    /// <param name="job">The claimed job.</param>
    /// <param name="attempt">How many attempts earlier claims have charged.</param>
    /// <param name="cancellationToken">Breaks the work off. A completion that has arrived is still returned: it is paid.</param>
    /// <exception cref="OperationCanceledException">Only when <paramref name="cancellationToken"/> is cancelled.</exception>
    public Task<CallOutcome> CallAsync(Job job, int attempt, CancellationToken cancellationToken) => CallAsync(job, attempt, null, cancellationToken);

    /// <summary>The same for somebody who wants to see a streamed answer as it comes.</summary>
    /// <param name="job">The claimed job.</param>
    /// <param name="attempt">How many attempts earlier claims have charged.</param>
    /// <param name="stream">Asked anew for each call whose answer is streamed: gets the data of each event of an answer that is streamed; null for nobody.</param>
    /// <param name="cancellationToken">As above.</param>
    /// <exception cref="OperationCanceledException">Only when <paramref name="cancellationToken"/> is cancelled.</exception>
    public async Task<CallOutcome> CallAsync(Job job, int attempt, Func<Action<string>>? stream, CancellationToken cancellationToken)
    {
        var call = new JobCall(job, attempt, job.MaxAttempts > 0 ? Math.Min(job.MaxAttempts, _options.MaxAttempts) : _options.MaxAttempts) { Stream = stream };
        using var deadline = job.Deadline is { } due && due - _time.GetUtcNow() is var left && left > TimeSpan.Zero && left < LongestTimer
            ? new CancellationTokenSource(left, _time)
            : null;
        using var either = deadline is null ? null : CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, deadline.Token);
        try
        {
            var turn = await _retry.ExecuteAsync(
                static (state, token) => state.Caller.TryAsync(state.Call, token), (Caller: this, Call: call), either?.Token ?? cancellationToken);
            return turn.End!;
        }
        catch (OperationCanceledException) when (deadline?.IsCancellationRequested == true && !cancellationToken.IsCancellationRequested)
        {
            return Expired(call);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            throw new OperationCanceledException(cancellationToken);
        }
    }

    /// <summary>Raised when a part of a deployment becomes unavailable, or available again.</summary>
    public event Action? AvailabilityChanged;

    /// <summary>
    /// About how many more calls of this model quota and concurrency will admit within the next second; <see cref="int.MaxValue"/> when nothing limits them, 0 when all its
    /// deployments are unavailable, 1 when one of them may be probed.
    /// </summary>
    public int Room(string model) => _deployments.Room(model);

    /// <summary>Returns when <see cref="Room"/> is above 0.</summary>
    public async ValueTask WaitForRoomAsync(string model, CancellationToken cancellationToken)
    {
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var next = _room.Next;
            if (Room(model) > 0)
                return;
            var wait = LongestLook;
            foreach (var route in _deployments.For(model))
                if (route.Deployment.UntilRoom(route.Model) is var until && until > TimeSpan.Zero && until < wait)
                    wait = until;
            using var looked = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            await Task.WhenAny(next, Task.Delay(wait > ShortestLook ? wait : ShortestLook, _time, looked.Token));
            await looked.CancelAsync();
        }
    }

    /// <summary>Whether any part of any deployment is unavailable.</summary>
    public bool HasOutages => _deployments.All.Any(one => one.Availability.All.Count > 0);

    /// <summary>Why no deployment can serve rows of this kind (a wrong key, an unknown model …); null while one can. They are probed again all the same.</summary>
    /// <param name="model">The model.</param>
    /// <param name="path">The path of the API; null for any.</param>
    /// <param name="batch">The batch; null for any.</param>
    public Blockage? BlockageOf(string model, string? path = null, string? batch = null) => _deployments.BlockageOf(model, path, batch);

    /// <summary>Opens what is unavailable, rate-limited or left alone, because an operator says so.</summary>
    /// <param name="deployment">The deployment's name; null for all.</param>
    /// <param name="model">The model; null for all.</param>
    public void Open(string? deployment = null, string? model = null)
    {
        foreach (var one in _deployments.All.Where(one => deployment is null || one.Name == deployment))
            one.Open(model);
    }

    /// <summary>How each deployment is doing, in the order of the options.</summary>
    public IReadOnlyList<DeploymentStatus> Snapshot() => [.. _deployments.All.Select(deployment => deployment.Status())];

    /// <summary>Closes the connections. Calls that still run fail.</summary>
    public async ValueTask DisposeAsync()
    {
        _gauge.Dispose();
        foreach (var deployment in _deployments.All)
            await deployment.DisposeAsync();
    }

    private async ValueTask<Turn> TryAsync(JobCall call, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var model = call.Job.Model;
        if (call.Job.Deadline <= _time.GetUtcNow())
            return Expired(call);
        if (call.Attempts >= call.MaxAttempts)
            return call.Answer is null
                ? call.End(CallVerdict.Failed, "attempts_exhausted", $"all {call.MaxAttempts} attempts are used up")
                : call.End(CallVerdict.Failed);
        if (call.Job.Work is RequestWork { Path: var path } && !RequestSender.IsPath(path))
            return call.End(CallVerdict.Failed, "invalid_url", "the job's path is not one of the API, such as /v1/chat/completions");
        try
        {
            if (call.Job.Work is PromptWork prompt)
                call.Rendered ??= await _prompts.RenderAsync(prompt, cancellationToken);
        }
        catch (PromptFunctionException e)
        {
            return call.End(CallVerdict.Failed, "prompt_function", e.Message);
        }

        if (call.Job.Batch is not { } batch)
            return await SendToBestAsync(call, cancellationToken);
        if (!await _trials.EnterAsync(batch, model, call.Job.Row, _options.MaxInlineWait < TrialWait ? _options.MaxInlineWait : TrialWait, _time, cancellationToken))
            return PutBack(call, TimeSpan.FromSeconds(1), "batch_trial", "the first calls of the batch have no answer yet");
        var isSuccess = false;
        try
        {
            var turn = await SendToBestAsync(call, cancellationToken);
            isSuccess = call.Last.Kind == OutcomeKind.Completion && call.Deployment is not null;
            return turn;
        }
        finally
        {
            _trials.Leave(batch, model, isSuccess);
        }
    }

    private async ValueTask<Turn> SendToBestAsync(JobCall call, CancellationToken cancellationToken)
    {
        var choice = _deployments.Choose(call.Request);
        if (choice is { Outage: { } due, Route: { } to } && !to.Deployment.Availability.TryBeginProbe(due, call.Flow))
            choice = _deployments.Choose(call.Request with { MayProbe = false });
        if (choice.Route is not ({ } deployment, { } served))
            return choice.Wait is { } wait ? Shut(call, wait) : call.End(CallVerdict.Release, call.Last.Code ?? "no_deployment", $"no deployment serves the model {call.Job.Model}");
        if (choice.Outage is not { } outage)
            return await SendAsync(call, deployment, served, null, cancellationToken);
        var isRefused = false;
        try
        {
            // Where the key is what was refused, it is asked for before a row is spent on it.
            if (outage.Scope.Model is null && await deployment.Key.CheckAsync(cancellationToken) == KeyState.Refused)
            {
                isRefused = true;
                return Shut(call, deployment.Availability.UntilProbe(outage));
            }

            var turn = await SendAsync(call, deployment, served, outage, cancellationToken);
            isRefused = IsRefusal(call.Last.Kind) && call.Deployment == deployment;
            return turn;
        }
        finally
        {
            deployment.Availability.EndProbe(outage, call.Flow, isRefused);
        }
    }

    private async ValueTask<Turn> SendAsync(JobCall call, Deployment deployment, string served, Outage? probed, CancellationToken cancellationToken)
    {
        if (call.Failed is not null)
            deployment.CountRetry(served);
        call.Model = served;
        var price = _options.PriceOf(deployment.Options, served);
        var context = new CallContext(call.Job.Id, served, call.Job.AttemptTimeout ?? deployment.Options.AttemptTimeout ?? _options.AttemptTimeout)
        {
            Price = price,
            EstimatesUsage = _options.EstimateUsage && price is not null,
            Flow = call.Flow,
            Path = call.Path,
            Inputs = call.Inputs,
            MaxAnswerBytes = _options.MaxAnswerBytes,
        };
        var failure = await SendAsync(call, deployment, context, cancellationToken);
        var answer = context.Answers.Count > 0 ? context.Answers[^1] : new HttpAnswer { Failure = failure, Started = _time.GetUtcNow() };
        var found = context.Answers.Count > 0 ? Outcomes.Classify(answer, _options.Dialects) : Outcomes.Unsent(failure);
        if (found.Kind != OutcomeKind.Completion || (failure is not null && !IsWhole(call, failure, answer)))
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (found.Kind == OutcomeKind.Completion)
                found = new Classified(OutcomeKind.Transient, "invalid_response", "the answer is JSON but not a chat completion");
        }
        // Who did not ask for it to be made in the background may have an answer the next time.
        if (found.Code == CompletionCheck.Background && !call.AsksBackground)
            found = found with { Kind = OutcomeKind.Transient };
        found = found.Bounded(_options.MaxRetryAfter);
        call.Usage += context.Usage;
        call.IsUsageEstimated |= context.IsUsageEstimated;
        call.Pay(deployment.Name, context.Nanos);
        return await ConcludeAsync(call, deployment, context, answer, found, probed, cancellationToken);
    }

    // What went wrong is classified from the HTTP call itself, which the handler has kept: the SDKs' exceptions differ and hide the answer.
    private async Task<Exception?> SendAsync(JobCall call, Deployment deployment, CallContext context, CancellationToken cancellationToken)
    {
        CallContext.Current = context;
        try
        {
            if (call.Job.Work is RequestWork request)
                await RequestSender.SendAsync(deployment, call.Job.Model, call.Model, request, call.Stream, cancellationToken);
            else if (call.Rendered is { } prompt)
                // A tool loop adds its messages, and another try begins from the start.
                await _prompts.SendAsync(deployment, call.Model, call.Heard = new ChatHistory(prompt.Messages), prompt.Settings, cancellationToken);
            return null;
        }
        catch (Exception e)
        {
            return e;
        }
    }

    // Whether the answer is all there although the SDK threw: because it was told to stop just then, or because it reads more into the answer than is asked here.
    private static bool IsWhole(JobCall call, Exception failure, HttpAnswer answer) =>
        call.Rendered is not { } prompt || (prompt.Settings.Tools is null && (failure is OperationCanceledException || AnswerCheck.IsChat(answer.Body)));
}
