using Microsoft.Extensions.Logging;
using Microsoft.SemanticKernel;
using Polly;
using Polly.Retry;

namespace LlmPipeline;

/// <summary>
/// Calls the LLM for a claimed job, in both lanes: chooses a deployment, waits for its quota, calls, classifies what comes back, and tries
/// again as long as the wait is short. It stores nothing and settles nothing. Safe for many calls at once.
/// </summary>
public sealed class LlmCaller : ILlmCaller, IAsyncDisposable
{
    // A longer timer is refused by the runtime, and a worker does not live that long.
    private static readonly TimeSpan LongestTimer = TimeSpan.FromDays(24);
    private static readonly TimeSpan LongestCheck = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan ShortestCheck = TimeSpan.FromMilliseconds(10);

    private readonly LlmOptions _options;
    private readonly DeploymentSet _deployments;
    private readonly CallWaits _waits;
    private readonly CallRouter _router;
    private readonly ResiliencePipeline<Turn> _retry;
    private readonly Pulse _room = new();
    private readonly QuotaGauge _gauge;
    private readonly LargeAnswers _largeAnswers;
    private readonly TimeProvider _time;

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
        // The other half of the processors is for small answers.
        _largeAnswers = new LargeAnswers(Math.Max(1, Environment.ProcessorCount / 2), timeProvider);
        var logger = loggerFactory.CreateLogger<LlmCaller>();
        var prompts = new PromptSender(functions, kernel ?? new Kernel());
        var estimator = new TokenEstimator();
        _deployments = new DeploymentSet(
            [.. options.Deployments.Select(one => new Deployment(
                one, fleet, options, estimator, _room.Set, () => AvailabilityChanged?.Invoke(), timeProvider, logger))],
            options.Fallbacks.ToDictionary(one => one.Model ?? "*", one => one.To, StringComparer.Ordinal),
            options.MaxInlineWait);
        var trials = new BatchTrials();
        _waits = new CallWaits(options, _deployments, timeProvider);
        var sender = new CallSender(options, prompts, _largeAnswers, timeProvider, logger);
        var outcomes = new OutcomeHandler(options, _deployments, new RefusalJudge(options, trials, timeProvider), _waits, logger);
        _router = new CallRouter(options, _deployments, prompts, trials, _waits, sender, outcomes, timeProvider);
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

    // From 0 to 1; a test that sets it removes the randomness.
    internal Func<double> Jitter
    {
        get => _waits.Jitter;
        init => _waits.Jitter = value;
    }

    LargeAnswers? ILlmCaller.LargeAnswers => _largeAnswers;

    /// <inheritdoc/>
    public string QuotaPrefix => _options.QuotaPrefix;

    /// <summary>Whether any deployment serves this model.</summary>
    public bool Serves(string model) => _deployments.For(model).Any();

    /// <inheritdoc/>
    public IReadOnlyCollection<string> Models => _deployments.Models;

    /// <summary>
    /// Whether a simulator that marks its answers is all that serves a model: each deployment is asked for its list of models, which costs
    /// nothing.
    /// </summary>
    public async Task<bool> IsSimulatedAsync(string model, CancellationToken cancellationToken)
    {
        foreach (var deployment in _deployments.For(model).Select(route => route.Deployment).Distinct())
        {
            if (!await deployment.Key.IsSimulatorAsync(cancellationToken))
                return false;
        }

        return true;
    }

    /// <summary>
    /// Does the LLM work of a job until it ends, or until only a wait longer than <see cref="LlmOptions.MaxInlineWait"/> could help.
    /// </summary>
    /// <param name="job">The claimed job.</param>
    /// <param name="attempt">How many attempts earlier claims have charged.</param>
    /// <param name="cancellationToken">Breaks the work off. A completion that has arrived is still returned: it is paid.</param>
    /// <exception cref="OperationCanceledException">Only when <paramref name="cancellationToken"/> is cancelled.</exception>
    public Task<CallOutcome> CallAsync(Job job, int attempt, CancellationToken cancellationToken) => CallAsync(job, attempt, null, cancellationToken);

    /// <summary>The same for somebody who wants to see a streamed answer as it comes.</summary>
    /// <param name="job">The claimed job.</param>
    /// <param name="attempt">How many attempts earlier claims have charged.</param>
    /// <param name="stream">Called for each call whose answer is streamed, with the longest time in all that the call may wait for readers: returns what
    /// receives the data of each event; null for nobody.</param>
    /// <param name="cancellationToken">As above.</param>
    /// <exception cref="OperationCanceledException">Only when <paramref name="cancellationToken"/> is cancelled.</exception>
    public Task<CallOutcome> CallAsync(Job job, int attempt, Func<TimeSpan, DeltaReceiver>? stream, CancellationToken cancellationToken) =>
        CallAsync(job, attempt, stream, new CallProgress(CancellationToken.None), cancellationToken);

    Task<CallOutcome> ILlmCaller.CallAsync(
        Job job, int attempt, Func<TimeSpan, DeltaReceiver>? stream, CallProgress progress, CancellationToken cancellationToken) =>
        CallAsync(job, attempt, stream, progress, cancellationToken);

    private async Task<CallOutcome> CallAsync(
        Job job, int attempt, Func<TimeSpan, DeltaReceiver>? stream, CallProgress progress, CancellationToken cancellationToken)
    {
        var maxAttempts = job.MaxAttempts > 0 ? Math.Min(job.MaxAttempts, _options.MaxAttempts) : _options.MaxAttempts;
        var call = new JobCall(job, attempt, maxAttempts) { Stream = stream, Progress = progress };
        using var deadline = job.Deadline is { } due && due - _time.GetUtcNow() is var left && left > TimeSpan.Zero && left < LongestTimer
            ? new CancellationTokenSource(left, _time)
            : null;
        using var either = deadline is null ? null : CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, deadline.Token);
        var running = either?.Token ?? cancellationToken;
        // Ends the pauses between tries; a call that is sent goes on.
        using var sending = CancellationTokenSource.CreateLinkedTokenSource(running, progress.StopSending);
        try
        {
            var turn = await _retry.ExecuteAsync(
                static (state, _) => TryAsync(state.Router, state.Call, state.Running), (Router: _router, Call: call, Running: running), sending.Token);
            if (turn.End is { } end)
                return end;
            running.ThrowIfCancellationRequested();
            return CallWaits.Unsent(call);
        }
        catch (OperationCanceledException) when (deadline?.IsCancellationRequested == true && !cancellationToken.IsCancellationRequested)
        {
            return CallWaits.Expired(call);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            throw new OperationCanceledException(cancellationToken);
        }
        catch (OperationCanceledException) when (progress.StopSending.IsCancellationRequested)
        {
            return CallWaits.Unsent(call);
        }
        finally
        {
            progress.Stage = CallStage.Ended;
        }
    }

    private static async ValueTask<Turn> TryAsync(CallRouter router, JobCall call, CancellationToken cancellationToken)
    {
        call.Progress.Stage = CallStage.WaitingForQuota;
        var turn = await router.TryAsync(call, cancellationToken);
        call.Progress.Stage = turn.End is null ? CallStage.Retrying : CallStage.Ended;
        return turn;
    }

    /// <summary>Raised when a part of a deployment becomes unavailable, or available again.</summary>
    public event Action? AvailabilityChanged;

    /// <summary>
    /// About how many more calls of this model quota and concurrency will admit within the next second; <see cref="int.MaxValue"/> when
    /// nothing limits them, 0 when all its deployments are unavailable, 1 when one of them may be probed.
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
            var wait = LongestCheck;
            foreach (var route in _deployments.For(model))
                if (route.Deployment.UntilRoom(route.Model) is var until && until > TimeSpan.Zero && until < wait)
                    wait = until;
            using var looked = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            await Task.WhenAny(next, Task.Delay(wait > ShortestCheck ? wait : ShortestCheck, _time, looked.Token));
            await looked.CancelAsync();
        }
    }

    /// <summary>Whether any part of any deployment is unavailable.</summary>
    public bool HasOutages => _deployments.All.Any(one => one.Availability.All.Count > 0);

    /// <summary>
    /// Why no deployment can serve rows of this kind (a wrong key, an unknown model …); null while one can. They are probed again all the
    /// same.
    /// </summary>
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

    /// <summary>What a provider wrote, without the keys of the deployments: some quote the key that they refuse.</summary>
    internal string WithoutKeys(string text) => _deployments.All.Aggregate(text, (masked, deployment) => deployment.WithoutKeys(masked));

    /// <summary>Closes the connections. Calls that still run fail.</summary>
    public async ValueTask DisposeAsync()
    {
        _gauge.Dispose();
        foreach (var deployment in _deployments.All)
            await deployment.DisposeAsync();
    }
}
