using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace LlmPipeline;

/// <summary>Works on one queue: claims what there are slots and quota for, and runs it. Sleeps on a signal while nothing waits.</summary>
internal sealed class Worker : BackgroundService, IJobOwner
{
    private const int JobsPerClaim = 256;
    private static readonly TimeSpan LastCall = TimeSpan.FromSeconds(5);
    private readonly string _model;
    private readonly IReadOnlyList<QueuePartition> _partitions;
    private readonly WorkerParts _parts;
    private readonly ILogger<Worker> _logger;
    private readonly LaneTurns _lanes;
    private readonly StandingClaims _claims;
    private readonly long[] _asked;
    private uint _round;
    private long _used;
    private NamedJobs? _named;

    public Worker(string queue, string model, IReadOnlyList<QueuePartition> partitions, WorkerParts parts, ILogger<Worker> logger)
    {
        _model = model;
        _partitions = partitions;
        _parts = parts;
        _logger = logger;
        _lanes = new LaneTurns(partitions.Count, Random.Shared);
        _claims = new StandingClaims(parts, partitions, logger);
        Work = new ClaimedWork(queue, parts, logger);
        _asked = new long[partitions.Count];
        _round = (uint)Random.Shared.Next(partitions.Count);
    }

    /// <summary>How long ago a job was claimed; before the first, since when this worker listens; zero before that, as what it subscribes to would be left.</summary>
    public TimeSpan Idle => Volatile.Read(ref _used) is not 0 and var used ? _parts.Time.GetElapsedTime(used) : TimeSpan.Zero;

    /// <summary>Counts the queue as in use now.</summary>
    public void Use() => Volatile.Write(ref _used, _parts.Time.GetTimestamp());

    /// <summary>What becomes of the jobs of this queue that are claimed.</summary>
    public ClaimedWork Work { get; }

    /// <summary>Set when jobs or batches were asked to stop.</summary>
    public VersionedSignal Asked { get; } = new();

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            await using var wakeUps = await WakeUps.ListenAsync(
                _parts.Redis, _partitions, OnAsked, (partition, ids) => Volatile.Write(ref _named, new NamedJobs(partition, ids)), _claims.Ear, OnHanded, stoppingToken).ConfigureAwait(false);
            Use();
            try
            {
                await WorkAsync(wakeUps, stoppingToken).ConfigureAwait(false);
            }
            finally
            {
                await WithdrawAsync(stoppingToken).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // No more claims; what runs is waited for by the process.
        }
    }

    // What is not called for yet goes back while its end cannot be written.
    ValueTask<bool> IJobOwner.EnterAsync(HeldJob job) => _parts.Gate.MayCall ? _parts.Slots.EnterAsync(job.Bytes, job.Flow) : ValueTask.FromResult(false);

    void IJobOwner.Called(HeldJob job, bool isAnswered) =>
        _parts.Slots.Called(job.HasEntered, isAnswered, job.AnswerBytes, job.Bytes, job.Flow);

    void IJobOwner.Stored(string flow, int answers, long bytes) => _parts.Slots.Stored(answers, bytes, flow);

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

    private void OnHanded(QueuePartition partition, HandedJob job)
    {
        _claims.Hear(partition, job);
        Volatile.Write(ref _named, new NamedJobs(partition, null));
    }

    private async Task WorkAsync(WakeUps wakeUps, CancellationToken cancellationToken)
    {
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            await WorkOnceAsync(wakeUps, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task WorkOnceAsync(WakeUps wakeUps, CancellationToken cancellationToken)
    {
        var freed = _parts.Slots.Freed.Version;
        var wanted = Math.Min(JobsPerClaim, _parts.Caller.Room(_model));
        if (wanted == 0)
        {
            await WithdrawAsync(cancellationToken).ConfigureAwait(false);
            await _parts.Caller.WaitForRoomAsync(_model, cancellationToken).ConfigureAwait(false);
            return;
        }

        var slots = _parts.Options.MayClaim?.Invoke() == false || !_parts.Gate.MayClaim ? 0 : _parts.Slots.Take(wanted);
        if (slots == 0)
        {
            await WithdrawAsync(cancellationToken).ConfigureAwait(false);
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
                if (free == 0 || (free < slots && _parts.Slots.IsFull) || cancellationToken.IsCancellationRequested)
                    break;
                var (claimed, before, look) = await ClaimAsync(partition, free, n == 0 ? named?.Ids : null, cancellationToken).ConfigureAwait(false);
                due = claimed.NextDue < due || due is null ? claimed.NextDue : due;
                free -= claimed.Jobs.Count;
                Start(partition, claimed, look);
                if (before is not null)
                {
                    _parts.Slots.TakeMore(before.Jobs.Count);
                    Start(partition, before, null);
                }
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

    private async Task<(ClaimResult Claimed, ClaimResult? Before, EarlyLook? Look)> ClaimAsync(QueuePartition partition, int most, string[]? expected, CancellationToken cancellationToken)
    {
        EarlyLook? look = null;
        var asked = Asked.Version;
        // Who has little room leaves what comes to others.
        var stands = _parts.Slots.Running <= _parts.Options.Concurrency / 2;
        var (claimed, before) = await AlsoWhenStoppedAsync(late => _claims.ClaimAsync(partition, most, _lanes.Next(partition.Index), stands, OnSent, late), cancellationToken).ConfigureAwait(false);
        return (claimed, before, look);

        void OnSent(bool again)
        {
            _asked[partition.Index] = asked;
            // What is told by name is looked for without waiting for the claim. On a cluster it may lie elsewhere, and a claim that is repeated is made later.
            look = expected is null || again || _parts.Results.IsSpread ? null : new EarlyLook(expected, _parts.Results.StatusesAsync(expected));
        }
    }

    /// <summary>A call that is on its way when the process is asked to stop is waited for, for a while: what it took would else wait for its lease to run out.</summary>
    private async Task<T> AlsoWhenStoppedAsync<T>(Func<CancellationToken, Task<T>> call, CancellationToken stopped)
    {
        using var late = CancellationTokenSource.CreateLinkedTokenSource(_parts.GiveUp);
        await using var stopping = stopped.Register(() => late.CancelAfter(LastCall)).ConfigureAwait(false);
        return await call(late.Token).ConfigureAwait(false);
    }

    private void Start(QueuePartition partition, ClaimResult claimed, EarlyLook? look)
    {
        var asked = _asked[partition.Index];
        if (claimed.Jobs.Count > 0)
            Use();
        _parts.Slots.Wait(claimed.Jobs.Sum(job => (long)JobGroups.Size(job.Job)));
        var held = Work.Start(partition, claimed, look, this);
        // Asked to stop since the claim was sent, or stood: the message came when it was not yet held.
        if (held.Length > 0 && Asked.Version != asked)
            _parts.Running.Track(_parts.Leases.LookAsync(partition, [.. held.Select(job => job.Claim.Job.Id)]));
    }

    /// <summary>No claim stands any more. What they were answered goes to others: there is no room for it here.</summary>
    private async Task WithdrawAsync(CancellationToken cancellationToken)
    {
        if (!_claims.AnyStands)
            return;
        try
        {
            await AlsoWhenStoppedAsync(WithdrawNowAsync, cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // Nobody hears the answers any more, so there are none; the leases of those that came run out.
        }

        async Task<int> WithdrawNowAsync(CancellationToken late)
        {
            var answered = await _claims.WithdrawAsync(late).ConfigureAwait(false);
            foreach (var (partition, claimed) in answered)
                await Work.GiveBackAsync(partition, claimed, late).ConfigureAwait(false);
            return answered.Count;
        }
    }
}
