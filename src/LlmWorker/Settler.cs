using System.Threading.Channels;
using Microsoft.Extensions.Logging;

namespace LlmPipeline;

/// <summary>
/// Ends claims, many in one call: whatever has come together while the last call was on its way goes with the next one.
/// A call is repeated until Redis answers it; each is safe to repeat.
/// </summary>
internal sealed partial class Settler : IAsyncDisposable
{
    private const int JobsPerCall = 256;
    private readonly Channel<Request> _requests = Channel.CreateUnbounded<Request>(new UnboundedChannelOptions { SingleReader = true });
    private readonly TimeProvider _time;
    private readonly ILogger<Settler> _logger;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _loop;

    public Settler(TimeProvider time, ILogger<Settler> logger)
    {
        _time = time;
        _logger = logger;
        _loop = LoopAsync();
    }

    /// <summary>Raised after each call to Redis.</summary>
    public event Action? Settled;

    private enum Verb
    {
        Complete,
        Bury,
        Retry,
        Release,
    }

    /// <summary>The result stands: the job has ended.</summary>
    public Task<SettleOutcome> CompleteAsync(HeldJob job, EndState state, IReadOnlyList<JobCost> costs) => SendAsync(new Request(Verb.Complete, job, costs) { State = state });

    /// <summary>The error stands: the job becomes a dead letter.</summary>
    public Task<SettleOutcome> BuryAsync(HeldJob job, IReadOnlyList<JobCost> costs) => SendAsync(new Request(Verb.Bury, job, costs));

    /// <summary>Another try, after a delay.</summary>
    public Task<SettleOutcome> RetryAsync(HeldJob job, int attempts, TimeSpan delay, IReadOnlyList<JobCost> costs) =>
        SendAsync(new Request(Verb.Retry, job, costs) { Attempts = attempts, Delay = delay });

    /// <summary>Given back, uncharged.</summary>
    public Task<SettleOutcome> ReleaseAsync(HeldJob job) => SendAsync(new Request(Verb.Release, job, []));

    /// <summary>Ends when all that was asked for is done.</summary>
    public async ValueTask DisposeAsync()
    {
        _requests.Writer.TryComplete();
        await _loop.ConfigureAwait(false);
        _stop.Dispose();
    }

    /// <summary>Gives up calls that Redis does not answer.</summary>
    public void Abandon() => _stop.Cancel();

    private Task<SettleOutcome> SendAsync(Request request) =>
        _requests.Writer.TryWrite(request) ? request.Answer.Task : throw new ObjectDisposedException(nameof(Settler));

    private async Task LoopAsync()
    {
        var taken = new List<Request>(JobsPerCall);
        while (await _requests.Reader.WaitToReadAsync().ConfigureAwait(false))
        {
            taken.Clear();
            while (taken.Count < JobsPerCall && _requests.Reader.TryRead(out var request))
                taken.Add(request);
            await Task.WhenAll(taken.GroupBy(r => (r.Job.Partition, r.Verb)).Select(g => SettleAsync(g.Key.Partition, g.Key.Verb, [.. g]))).ConfigureAwait(false);
        }
    }

    private async Task SettleAsync(QueuePartition partition, Verb verb, Request[] requests)
    {
        try
        {
            var outcomes = await RedisRetry.UntilAnsweredAsync(() => CallAsync(partition, verb, requests), _time, _logger, _stop.Token).ConfigureAwait(false);
            foreach (var (request, outcome) in requests.Zip(outcomes))
            {
                if (outcome == SettleOutcome.SomeoneElses)
                {
                    WorkerTelemetry.Fenced.Add(1, new KeyValuePair<string, object?>("messaging.destination.name", partition.Queue));
                    LogFenced(request.Job.Claim.Job.Id, verb);
                }

                request.Answer.TrySetResult(outcome);
            }

            Settled?.Invoke();
        }
        catch (Exception e)
        {
            // Whoever asked decides; nothing is lost, the leases run out.
            foreach (var request in requests)
                request.Answer.TrySetException(e);
        }
    }

    private static Task<IReadOnlyList<SettleOutcome>> CallAsync(QueuePartition partition, Verb verb, Request[] requests) => verb switch
    {
        Verb.Complete => partition.CompleteAsync([.. requests.Select(r => (r.Claim, r.State))]),
        Verb.Bury => partition.BuryAsync([.. requests.Select(r => r.Claim)]),
        Verb.Retry => partition.RetryAsync([.. requests.Select(r => (r.Claim, r.Attempts, r.Delay))]),
        _ => partition.ReleaseAsync([.. requests.Select(r => r.Job.Claim)]),
    };

    [LoggerMessage(Level = LogLevel.Warning, Message = "Job {JobId} could not be settled ({Verb}): its claim is another worker's now")]
    private partial void LogFenced(string jobId, Verb verb);

    private sealed record Request(Verb Verb, HeldJob Job, IReadOnlyList<JobCost> Costs)
    {
        public ClaimedJob Claim => Costs.Count == 0 ? Job.Claim : Job.Claim with { Costs = Costs };

        public EndState State { get; init; }

        public int Attempts { get; init; }

        public TimeSpan Delay { get; init; }

        public TaskCompletionSource<SettleOutcome> Answer { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
