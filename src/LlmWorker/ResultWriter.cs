using Microsoft.Extensions.Logging;

namespace LlmPipeline;

/// <summary>
/// Stores results, many in one call, and then settles their jobs with what is stored. A call is repeated until Redis answers it; each is
/// safe to repeat.
/// </summary>
internal sealed partial class ResultWriter : IAsyncDisposable
{
    private const int ResultsPerCall = 256;
    private const int BytesPerCall = 1024 * 1024;
    private const int Calls = 2;

    // Some seven seconds.
    private const int MostRefusals = 12;
    private readonly ResultStore _results;
    private readonly Settler _settler;
    private readonly TimeProvider _time;
    private readonly ILogger<ResultWriter> _logger;
    private readonly CancellationToken _giveUp;
    private readonly Coalescer<Ended> _ended;
    private readonly Coalescer<Ended> _large;

    public ResultWriter(ResultStore results, Settler settler, TimeProvider time, ILogger<ResultWriter> logger, CancellationToken giveUp)
    {
        _results = results;
        _settler = settler;
        _time = time;
        _logger = logger;
        _giveUp = giveUp;
        // On a cluster each result is a call of its own anyway, and one node that is away must hold up none of the others.
        _ended = results.IsSpread
            ? new Coalescer<Ended>(1, int.MaxValue, StoreAsync)
            : new Coalescer<Ended>(ResultsPerCall, Calls, StoreAsync) { SizeOf = static ended => ended.Result.Response.Length, MostBytes = BytesPerCall };
        // One at a time, and no small result waits for a call that they take.
        _large = results.IsSpread ? _ended : new Coalescer<Ended>(1, 1, StoreAsync);
    }

    /// <summary>Raised for each completion that is the first of its job, before its job is settled.</summary>
    public event Action<JobResult>? Completed;

    /// <summary>Raised for each completion that Redis refuses for good, before its job is settled as failed.</summary>
    public event Action<JobResult>? CompletedUnstored;

    /// <summary>Stores the result of a job and settles it.</summary>
    public void Write(HeldJob job, JobResult result, IReadOnlyList<JobCost> costs)
    {
        job.TellCalled(isAnswered: true, result.Response.Length);
        (result.Response.Length > BytesPerCall ? _large : _ended).Add(new Ended(job, result, costs));
    }

    /// <summary>Ends when all that was to be stored is stored.</summary>
    public async ValueTask DisposeAsync()
    {
        await _ended.DisposeAsync().ConfigureAwait(false);
        await _large.DisposeAsync().ConfigureAwait(false);
    }

    private async Task StoreAsync(IReadOnlyList<Ended> all)
    {
        try
        {
            var results = new JobResult[all.Count];
            for (var n = 0; n < results.Length; n++)
                results[n] = all[n].Result;
            var stored = await StoreAsync(results).ConfigureAwait(false);
            Tell(all);
            for (var n = 0; n < results.Length; n++)
            {
                WorkerTelemetry.Stored(all[n].Job.Claim.Job.Queue, stored[n].Stored, stored[n].IsPaidTwice);
                if (results[n].Status == ResultStatus.Completed && !stored[n].IsPaidTwice)
                    Completed?.Invoke(results[n]);
                _settler.Settle(Settlement.With(stored[n].Stored, all[n].Job, all[n].Costs));
            }
        }
        catch (OperationCanceledException) when (_giveUp.IsCancellationRequested)
        {
            // The process ends at once; the leases run out.
            foreach (var one in all)
                one.Job.End();
        }
        catch (Exception) when (all.Count > 1)
        {
            // One that Redis refuses for good must not take the others with it.
            foreach (var one in all)
                await StoreAsync([one]).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            await EndRefusedAsync(all[0], e).ConfigureAwait(false);
        }
    }

    /// <summary>
    /// Stores results. What Redis refuses with an error that is not known to pass is tried again for some seconds, if it is one result: a
    /// fail-over has more errors than any list of them.
    /// </summary>
    private async Task<IReadOnlyList<(ResultStatus Stored, bool IsPaidTwice)>> StoreAsync(JobResult[] results)
    {
        for (var refusals = 0; ; refusals++)
        {
            try
            {
                return await RedisRetry.UntilAnsweredAsync(CallOf(results), _time, _logger, _giveUp).ConfigureAwait(false);
            }
            catch (Exception e) when (e is not (ValueRefusedException or OperationCanceledException)
                && results.Length == 1
                && refusals < MostRefusals)
            {
                await Task.Delay(RedisRetry.Pause(refusals, Random.Shared.NextDouble()), _time, _giveUp).ConfigureAwait(false);
            }
        }
    }

    /// <summary>The call that stores results; of one that is large it finds out whether Redis takes it at all.</summary>
    private Func<Task<IReadOnlyList<(ResultStatus Stored, bool IsPaidTwice)>>> CallOf(JobResult[] results) =>
        results is [{ Response.Length: >= ResultStore.SmallBytes }]
            ? new LargeResult(_results, results, _time, _giveUp).StoreAsync
            : () => _results.StoreAsync(results);

    /// <summary>
    /// The answer is paid and cannot be stored. The job has ended all the same: called again it would be paid again, and most likely
    /// refused again. What is stored in its place says so, with the cost.
    /// </summary>
    private async Task EndRefusedAsync(Ended ended, Exception refusal)
    {
        var (job, result, costs) = ended;
        LogRefused(refusal, job.Claim.Job.Id, result.Response.Length);
        try
        {
            var stored = await RedisRetry.UntilAnsweredAsync(
                () => _results.PutAsync(Refused(result, refusal)), _time, _logger, _giveUp).ConfigureAwait(false);
            if (stored == ResultStatus.Failed && result.Status == ResultStatus.Completed)
                CompletedUnstored?.Invoke(result);
            WorkerTelemetry.Stored(job.Claim.Job.Queue, stored, isPaidTwice: false);
            Tell([ended]);
            _settler.Settle(Settlement.With(stored, job, costs));
        }
        catch (OperationCanceledException) when (_giveUp.IsCancellationRequested)
        {
            job.End();
        }
        catch (Exception e)
        {
            // Not even that: the job ends without a result, which readers tell as lost.
            LogUnstored(e, job.Claim.Job.Id);
            Tell([ended]);
            _settler.Settle(new Settlement(SettleVerb.Bury, job, costs));
        }
    }

    private static JobResult Refused(JobResult result, Exception refusal)
    {
        var answer = result.Meta.StatusCode is { } status ? $"the answer (HTTP {status}, {result.Response.Length} bytes)" : "the error";
        return result with
        {
            Status = ResultStatus.Failed,
            Response = default,
            Meta = result.Meta with
            {
                StatusCode = null,
                Error = new ResultError(
                    ResultError.AnswerNotStorable, $"{answer} is not kept: Redis refuses it: {refusal.Message.Split('\n')[0]}"),
            },
        };
    }

    private static void Tell(IReadOnlyList<Ended> all)
    {
        // Neighbours mostly have the same owner and flow.
        var (owner, flow, answers, bytes) = (all[0].Job.Owner, all[0].Job.Flow, 0, 0L);
        foreach (var (job, _, _) in all)
        {
            if (!ReferenceEquals(job.Owner, owner) || job.Flow != flow)
            {
                owner.Stored(flow, answers, bytes);
                (owner, flow, answers, bytes) = (job.Owner, job.Flow, 0, 0);
            }

            if (!job.IsStoredNow())
                continue;
            answers++;
            bytes += job.AnswerBytes;
        }

        owner.Stored(flow, answers, bytes);
    }

    [LoggerMessage(
        Level = LogLevel.Error,
        Message = "The result of job {JobId}, {Bytes} bytes, is refused by Redis; the job ends as failed, with its cost")]
    private partial void LogRefused(Exception e, string jobId, int bytes);

    [LoggerMessage(Level = LogLevel.Error, Message = "No result of job {JobId} could be stored; it ends as failed without one")]
    private partial void LogUnstored(Exception e, string jobId);

    private readonly record struct Ended(HeldJob Job, JobResult Result, IReadOnlyList<JobCost> Costs);
}
