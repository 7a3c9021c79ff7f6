using Microsoft.Extensions.Logging;

namespace LlmPipeline;

/// <summary>What becomes of the jobs of a queue once they are claimed, until each is run: they are held, a result that stands is found, what cannot be read is ended.</summary>
internal sealed partial class ClaimedWork(string queue, WorkerParts parts, ILogger logger)
{
    /// <summary>Ends jobs that were asked to stop before they were run: they need no slot.</summary>
    public async Task EndAsync(QueuePartition partition, ClaimResult claimed)
    {
        var others = new OutOfTurn(parts, claimed.Jobs.Count);
        var held = Hold(partition, claimed.Jobs, others);
        Run(held, await StandsAsync(held).ConfigureAwait(false));
        await others.AllEnded.ConfigureAwait(false);
        if (claimed.Unreadable.Count > 0)
            await EndAsync(partition, claimed.Unreadable).ConfigureAwait(false);
    }

    /// <summary>Has jobs run, and what cannot be read ended.</summary>
    /// <param name="partition">Where they lie.</param>
    /// <param name="claimed">The jobs.</param>
    /// <param name="look">A look for their results that is on its way; else null.</param>
    /// <param name="owner">Who is told how far they are.</param>
    /// <returns>The jobs, which are held now.</returns>
    public HeldJob[] Start(QueuePartition partition, ClaimResult claimed, EarlyLook? look, IJobOwner owner)
    {
        var held = Hold(partition, claimed.Jobs, owner);
        if (held.Length > 0)
            parts.Running.Track(StartAsync(held, claimed.AreNew, look));
        End(partition, claimed.Unreadable);
        return held;
    }

    /// <summary>Gives jobs back that others are to run, and ends what cannot be read. They are not held.</summary>
    public async Task GiveBackAsync(QueuePartition partition, ClaimResult claimed, CancellationToken cancellationToken)
    {
        if (claimed.Jobs.Count > 0)
            await RedisRetry.UntilAnsweredAsync(() => partition.ReleaseAsync(claimed.Jobs), parts.Time, logger, cancellationToken).ConfigureAwait(false);
        End(partition, claimed.Unreadable);
    }

    // Nobody waits for it but the end of the process.
    private void End(QueuePartition partition, IReadOnlyList<UnreadableJob> jobs)
    {
        if (jobs.Count > 0)
            parts.Running.Track(EndAsync(partition, jobs));
    }

    private HeldJob[] Hold(QueuePartition partition, IReadOnlyList<ClaimedJob> jobs, IJobOwner owner)
    {
        var held = new HeldJob[jobs.Count];
        for (var n = 0; n < held.Length; n++)
        {
            held[n] = new HeldJob(jobs[n], partition, owner, parts.StopSending);
            parts.Running.Begin();
            parts.Leases.Add(held[n]);
        }

        return held;
    }

    private async Task StartAsync(HeldJob[] held, bool areNew, EarlyLook? look)
    {
        Run(held, areNew ? new ResultStatus?[held.Length]
            : (look is null ? null : await look.OfAsync(held).ConfigureAwait(false)) ?? await StandsAsync(held).ConfigureAwait(false));
    }

    private void Run(HeldJob[] held, IReadOnlyList<ResultStatus?>? stands)
    {
        for (var n = 0; n < held.Length; n++)
        {
            if (stands is null)
                held[n].End();
            else
                _ = RunAsync(held[n], stands[n]);
        }
    }

    /// <summary>What stands already is not paid again: one look for the whole claim. Without an answer, null, nothing is known, and nothing is called.</summary>
    private async Task<IReadOnlyList<ResultStatus?>?> StandsAsync(HeldJob[] held)
    {
        try
        {
            return await RedisRetry.UntilAnsweredAsync(
                () => parts.Results.StatusesAsync(Array.ConvertAll(held, job => job.Claim.Job.Id)), parts.Time, logger, parts.GiveUp).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (parts.GiveUp.IsCancellationRequested)
        {
            return null;
        }
        catch (Exception e)
        {
            foreach (var job in held)
                LogUnsettled(e, job.Claim.Job.Id);
            return null;
        }
    }

    /// <summary>Never throws: a job that cannot be run to its end ends in this process, and its lease runs out.</summary>
    private async Task RunAsync(HeldJob held, ResultStatus? stands)
    {
        try
        {
            await parts.Runner.RunAsync(held, stands, parts.GiveUp).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (parts.GiveUp.IsCancellationRequested)
        {
            held.End();
        }
        catch (Exception e)
        {
            LogUnsettled(e, held.Claim.Job.Id);
            held.End();
        }
    }

    /// <summary>What cannot be read has no other end than an error.</summary>
    private async Task EndAsync(QueuePartition partition, IReadOnlyList<UnreadableJob> jobs)
    {
        try
        {
            foreach (var job in jobs)
            {
                LogUnreadable(job.Id, job.Reason);
                var result = new JobResult
                {
                    JobId = job.Id,
                    Status = ResultStatus.Failed,
                    Meta = new ResultMeta { Error = new ResultError("unreadable", job.Reason), Model = queue, Finished = parts.Time.GetUtcNow().ToUnixTimeMilliseconds() },
                };
                await RedisRetry.UntilAnsweredAsync(() => parts.Results.PutAsync(result), parts.Time, logger, parts.GiveUp).ConfigureAwait(false);
            }

            await RedisRetry.UntilAnsweredAsync(() => partition.BuryUnreadableAsync(jobs), parts.Time, logger, parts.GiveUp).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (parts.GiveUp.IsCancellationRequested)
        {
            // The leases run out, and another worker ends them.
        }
        catch (Exception e)
        {
            foreach (var job in jobs)
                LogUnsettled(e, job.Id);
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "Job {JobId} cannot be read and ends as failed: {Reason}")]
    private partial void LogUnreadable(string jobId, string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "Job {JobId} could not be settled; its lease will run out and it will run again")]
    private partial void LogUnsettled(Exception e, string jobId);
}
