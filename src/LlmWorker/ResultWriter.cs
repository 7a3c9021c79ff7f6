using Microsoft.Extensions.Logging;

namespace LlmPipeline;

/// <summary>Stores results, many in one call, and then settles their jobs with what stands. A call is repeated until Redis answers it; each is safe to repeat.</summary>
internal sealed partial class ResultWriter : IAsyncDisposable
{
    private const int ResultsPerCall = 256;
    private const int BytesPerCall = 1024 * 1024;
    private const int Calls = 2;
    private readonly ResultStore _results;
    private readonly Settler _settler;
    private readonly TimeProvider _time;
    private readonly ILogger<ResultWriter> _logger;
    private readonly CancellationToken _giveUp;
    private readonly Coalescer<Ended> _ended;

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
    }

    /// <summary>Raised for each completion that was stored where none stood, before its job is settled.</summary>
    public event Action<JobResult>? Completed;

    /// <summary>Stores the result of a job and settles it.</summary>
    public void Write(HeldJob job, JobResult result, IReadOnlyList<JobCost> costs)
    {
        job.TellCalled(isAnswered: true);
        _ended.Add(new Ended(job, result, costs));
    }

    /// <summary>Ends when all that was to be stored is stored.</summary>
    public ValueTask DisposeAsync() => _ended.DisposeAsync();

    private async Task StoreAsync(IReadOnlyList<Ended> all)
    {
        try
        {
            var results = new JobResult[all.Count];
            for (var n = 0; n < results.Length; n++)
                results[n] = all[n].Result;
            var stored = await RedisRetry.UntilAnsweredAsync(() => _results.StoreAsync(results), _time, _logger, _giveUp).ConfigureAwait(false);
            Tell(all);
            for (var n = 0; n < results.Length; n++)
            {
                WorkerTelemetry.Stored(all[n].Job.Claim.Job.Queue, stored[n].Stands, stored[n].IsPaidTwice);
                if (results[n].Status == ResultStatus.Completed && !stored[n].IsPaidTwice)
                    Completed?.Invoke(results[n]);
                _settler.Settle(Settlement.With(stored[n].Stands, all[n].Job, all[n].Costs));
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
            LogUnstored(e, all[0].Job.Claim.Job.Id);
            all[0].Job.End();
        }
    }

    private static void Tell(IReadOnlyList<Ended> all)
    {
        // Neighbours mostly have the same owner.
        var (owner, answers) = (all[0].Job.Owner, 0);
        foreach (var (job, _, _) in all)
        {
            if (!ReferenceEquals(job.Owner, owner))
            {
                owner.Stored(answers);
                (owner, answers) = (job.Owner, 0);
            }

            answers += job.IsStoredNow() ? 1 : 0;
        }

        owner.Stored(answers);
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "The result of job {JobId} could not be stored; its lease will run out and it will run again")]
    private partial void LogUnstored(Exception e, string jobId);

    private readonly record struct Ended(HeldJob Job, JobResult Result, IReadOnlyList<JobCost> Costs);
}
