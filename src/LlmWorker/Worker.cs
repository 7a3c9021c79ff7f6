using System.Security.Cryptography;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace LlmPipeline;

/// <summary>Works on one queue: claims what there are slots and quota for, and runs it. Sleeps on a signal while nothing waits.</summary>
internal sealed partial class Worker : BackgroundService, IJobOwner
{
    private const int JobsPerClaim = 256;
    private static readonly TimeSpan LastClaim = TimeSpan.FromSeconds(5);
    private readonly string _queue;
    private readonly IReadOnlyList<QueuePartition> _partitions;
    private readonly WorkerParts _parts;
    private readonly ILogger<Worker> _logger;
    private readonly LaneTurns _lanes;
    private uint _round;
    private NamedJobs? _named;

    public Worker(string queue, IReadOnlyList<QueuePartition> partitions, WorkerParts parts, ILogger<Worker> logger)
    {
        _queue = queue;
        _partitions = partitions;
        _parts = parts;
        _logger = logger;
        _lanes = new LaneTurns(partitions.Count, Random.Shared);
        _round = (uint)Random.Shared.Next(partitions.Count);
    }

    /// <summary>Set when jobs or batches were asked to stop.</summary>
    public VersionedSignal Asked { get; } = new();

    /// <summary>Why the worker has ended by itself: no deployment of this model is left. Else null.</summary>
    public string? ClosedReason { get; private set; }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            await using var wakeUps = await WakeUps.ListenAsync(_parts.Redis, _partitions, OnAsked, (partition, ids) => Volatile.Write(ref _named, new NamedJobs(partition, ids))).ConfigureAwait(false);
            while (true)
            {
                stoppingToken.ThrowIfCancellationRequested();
                if (_parts.Caller.ClosedReason(_queue) is { } reason)
                {
                    LogClosed(_queue, reason);
                    ClosedReason = reason;
                    return;
                }

                await WorkAsync(wakeUps, stoppingToken).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // No more claims; what runs is waited for by the process.
        }
    }

    /// <summary>Ends jobs that were asked to stop before they were run: they need no slot.</summary>
    public async Task EndAsync(QueuePartition partition, ClaimResult claimed)
    {
        var others = new OutOfTurn(_parts, claimed.Jobs.Count);
        var held = Hold(partition, claimed.Jobs, others);
        if (await StandsAsync(held).ConfigureAwait(false) is { } stands)
        {
            for (var n = 0; n < held.Length; n++)
                _ = RunAsync(held[n], stands[n]);
        }
        else
        {
            foreach (var job in held)
                job.End();
        }

        await others.AllEnded.ConfigureAwait(false);
        if (claimed.Unreadable.Count > 0)
            await EndAsync(partition, claimed.Unreadable).ConfigureAwait(false);
    }

    ValueTask<bool> IJobOwner.EnterAsync() => _parts.Slots.EnterAsync();

    void IJobOwner.Called(HeldJob job, bool isAnswered) => _parts.Slots.Called(job.HasEntered, isAnswered);

    void IJobOwner.Stored(int answers) => _parts.Slots.Stored(answers);

    void IJobOwner.Ended(HeldJob job)
    {
        _parts.Leases.Remove(job);
        _parts.Slots.Settled();
        _parts.Running.End();
    }

    private void OnAsked(QueuePartition partition, IReadOnlyCollection<string> asked)
    {
        Asked.Set();
        _parts.Running.Track(_parts.Leases.LookAsync(partition, asked));
    }

    private async Task WorkAsync(WakeUps wakeUps, CancellationToken cancellationToken)
    {
        var freed = _parts.Slots.Freed.Version;
        var wanted = Math.Min(JobsPerClaim, _parts.Caller.Room(_queue));
        if (wanted == 0)
        {
            await _parts.Caller.WaitForRoomAsync(_queue, cancellationToken).ConfigureAwait(false);
            return;
        }

        var slots = _parts.Options.MayClaim?.Invoke() == false ? 0 : _parts.Slots.Take(wanted);
        if (slots == 0)
        {
            await _parts.Slots.Freed.WaitAsync(freed, TimeSpan.FromSeconds(1), _parts.Time, cancellationToken).ConfigureAwait(false);
            return;
        }

        var seen = wakeUps.Signal.Version;
        var free = slots;
        TimeSpan? due = null;
        try
        {
            // Each round begins with another partition, so that none is always the last to be asked; but with that which told that jobs wait there.
            var named = Interlocked.Exchange(ref _named, null);
            var first = named is null ? _round++ : (uint)named.Partition.Index;
            for (var n = 0; n < _partitions.Count; n++)
            {
                var partition = _partitions[(int)((first + (uint)n) % (uint)_partitions.Count)];
                if (free == 0 || cancellationToken.IsCancellationRequested)
                    break;
                var asked = Asked.Version;
                var (claimed, look) = await ClaimAsync(partition, free, n == 0 ? named?.Ids : null, cancellationToken).ConfigureAwait(false);
                due = claimed.NextDue < due || due is null ? claimed.NextDue : due;
                free -= claimed.Jobs.Count;
                var held = Hold(partition, claimed.Jobs, this);
                if (held.Length > 0)
                    _parts.Running.Track(StartAsync(held, look));
                // Asked to stop between the claim and now: the message came when it was not yet held.
                if (held.Length > 0 && Asked.Version != asked)
                    _parts.Running.Track(_parts.Leases.LookAsync(partition, [.. held.Select(job => job.Claim.Job.Id)]));
                if (claimed.Unreadable.Count > 0)
                    _parts.Running.Track(EndAsync(partition, claimed.Unreadable));
            }
        }
        finally
        {
            _parts.Slots.GiveBack(free);
        }

        // The safety poll: messages may be lost, a second is the worst that this costs.
        var sleep = TimeSpan.FromSeconds(0.8 + (Random.Shared.NextDouble() * 0.4));
        if (free == slots)
            await wakeUps.Signal.WaitAsync(seen, due < sleep ? due.Value : sleep, _parts.Time, cancellationToken).ConfigureAwait(false);
    }

    private async Task<(ClaimResult Claimed, EarlyLook? Look)> ClaimAsync(QueuePartition partition, int most, string[]? expected, CancellationToken cancellationToken)
    {
        EarlyLook? look = null;
        var token = RandomNumberGenerator.GetHexString(32, lowercase: true);
        var lane = _lanes.Next(partition.Index);
        // A claim that is on its way when the process is asked to stop is waited for: what it took would else wait for its lease to run out.
        using var late = CancellationTokenSource.CreateLinkedTokenSource(_parts.GiveUp);
        await using var stopping = cancellationToken.Register(() => late.CancelAfter(LastClaim)).ConfigureAwait(false);
        var claimed = await RedisRetry.UntilAnsweredAsync(ClaimOnceAsync, _parts.Time, _logger, late.Token).ConfigureAwait(false);
        return (claimed, look);

        Task<ClaimResult> ClaimOnceAsync(bool again)
        {
            var claiming = partition.ClaimAsync(most, token, _parts.Options.Name, lane, again);
            // What is told by name is looked for without waiting for the claim. On a cluster it may lie elsewhere, and a claim that is repeated is made later.
            look = expected is null || again || _parts.Results.IsSpread ? null : new EarlyLook(expected, _parts.Results.StatusesAsync(expected));
            return claiming;
        }
    }

    private HeldJob[] Hold(QueuePartition partition, IReadOnlyList<ClaimedJob> jobs, IJobOwner owner)
    {
        var held = new HeldJob[jobs.Count];
        for (var n = 0; n < held.Length; n++)
        {
            held[n] = new HeldJob(jobs[n], partition, owner);
            _parts.Running.Begin();
            _parts.Leases.Add(held[n]);
        }

        return held;
    }

    private async Task StartAsync(HeldJob[] held, EarlyLook? look)
    {
        var stands = (look is null ? null : await look.OfAsync(held).ConfigureAwait(false)) ?? await StandsAsync(held).ConfigureAwait(false);
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
                () => _parts.Results.StatusesAsync(Array.ConvertAll(held, job => job.Claim.Job.Id)), _parts.Time, _logger, _parts.GiveUp).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (_parts.GiveUp.IsCancellationRequested)
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
            await _parts.Runner.RunAsync(held, stands, _parts.GiveUp).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (_parts.GiveUp.IsCancellationRequested)
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
                    Meta = new ResultMeta { Error = new ResultError("unreadable", job.Reason), Model = _queue, Finished = _parts.Time.GetUtcNow().ToUnixTimeMilliseconds() },
                };
                await RedisRetry.UntilAnsweredAsync(() => _parts.Results.PutAsync(result), _parts.Time, _logger, _parts.GiveUp).ConfigureAwait(false);
            }

            await RedisRetry.UntilAnsweredAsync(() => partition.BuryUnreadableAsync(jobs), _parts.Time, _logger, _parts.GiveUp).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (_parts.GiveUp.IsCancellationRequested)
        {
            // The leases run out, and another worker ends them.
        }
        catch (Exception e)
        {
            foreach (var job in jobs)
                LogUnsettled(e, job.Id);
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "No deployment of {Queue} is left: {Reason}")]
    private partial void LogClosed(string queue, string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "Job {JobId} cannot be read and ends as failed: {Reason}")]
    private partial void LogUnreadable(string jobId, string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "Job {JobId} could not be settled; its lease will run out and it will run again")]
    private partial void LogUnsettled(Exception e, string jobId);
}
