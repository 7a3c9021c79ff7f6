namespace LlmPipeline;

/// <summary>What one partition of a queue has to do, told plainly. All lists are in the order in which things leave them.</summary>
internal sealed partial class ModelPartition(int maxWaiting, int maxDead)
{
    private readonly SortedDictionary<string, ModelJob> _jobs = new(StringComparer.Ordinal);
    private readonly List<string>[] _waiting = [[], [], []];
    private readonly List<string> _due = [];
    private readonly SortedSet<string> _later = new(StringComparer.Ordinal);
    private readonly List<string> _expired = [];
    private readonly List<string> _held = [];
    private readonly List<string> _dead = [];
    private readonly SortedSet<string> _asked = new(StringComparer.Ordinal);
    private readonly SortedSet<string> _stopped = new(StringComparer.Ordinal);
    private readonly HashSet<string> _gone = [];
    private readonly SortedDictionary<string, ModelBatch> _batches = new(StringComparer.Ordinal);
    private readonly SortedSet<string> _overdue = new(StringComparer.Ordinal);
    private bool _paused;

    public IReadOnlyList<string> Due => _due;

    public IReadOnlyCollection<string> Later => _later;

    public IReadOnlyList<string> Expired => _expired;

    public IReadOnlyList<string> Held => _held;

    public IReadOnlyList<string> Dead => _dead;

    private int Waits => _waiting.Sum(lane => lane.Count) + _due.Count + _later.Count;

    public ModelBatch Batch(string batch) => _batches.TryGetValue(batch, out var known) ? known : _batches[batch] = new ModelBatch();

    /// <summary>One call: the jobs of one batch, or of none.</summary>
    public List<EnqueueOutcome> Enqueue(IEnumerable<Job> jobs, string? batch, bool rerunEnded)
    {
        var (answers, pushed, idle) = (new List<EnqueueOutcome>(), new List<ModelJob>(), _waiting.All(lane => lane.Count == 0));
        var rows = batch is null ? null : Batch(batch);
        var (full, stopped, again, added) = (Waits >= maxWaiting, rows?.Stop == true, false, 0);
        foreach (var job in jobs)
        {
            var ended = rows?.Ended.ContainsKey(job.Row) == true;
            var there = _jobs.ContainsKey(job.Id);
            answers.Add(ended && (!rerunEnded || there) ? EnqueueOutcome.Ended
                : full && !there ? EnqueueOutcome.Full
                : there ? _dead.Contains(job.Id) ? EnqueueOutcome.Ended : EnqueueOutcome.AlreadyThere
                : EnqueueOutcome.Added);
            if (answers[^1] != EnqueueOutcome.Added)
                continue;
            _jobs[job.Id] = ModelJob.Of(job);
            _overdue.Remove(job.Id);
            again |= ended;
            if (ended)
                rows!.Ended.Remove(job.Row);
            else
                added++;
            if (job.Delay > TimeSpan.Zero && !stopped)
                _later.Add(job.Id);
            else
                pushed.Add(_jobs[job.Id]);
        }

        if (!idle || stopped || answers.Count(answer => answer == EnqueueOutcome.Added) > 1 || !pushed.TrueForAll(Give))
            pushed.ForEach(job => _waiting[(int)job.Lane].Add(job.Id));

        if (rows is null)
            return answers;
        rows.Expected += added;
        if (stopped && again)
            Unstop(batch!);
        else if (stopped && added > 0)
            _stopped.Add(batch!);
        return answers;
    }

    public (List<ModelJob> Jobs, bool Paused, bool Delayed) Claim(int most, string token, string worker, Lane from, bool stands)
    {
        if (_paused)
            return ([], true, false);
        for (var n = _due.Count - 1; n >= 0; n--)
            PushFront(_due[n]);
        _due.Clear();
        var taken = new List<ModelJob>();
        for (var step = 0; step < 3; step++)
        {
            var lane = _waiting[((int)from + step) % 3];
            while (lane.Count > 0 && taken.Count < most)
            {
                var job = _jobs[lane[0]];
                lane.RemoveAt(0);
                (job.Token, job.Worker, job.Leased) = (token, worker, true);
                taken.Add(job);
            }
        }

        Hold(taken.Select(job => job.Id));
        if (taken.Count > 0)
            _gone.Remove(worker);
        else if (stands)
            _standing.Add((token, worker));
        return (taken, false, _later.Count > 0);
    }

    /// <summary>What a claim holds, its leases made new.</summary>
    public List<ModelJob> HeldBy(string token)
    {
        var jobs = _expired.Concat(_held).Select(id => _jobs[id]).Where(job => job.Token == token).ToList();
        Hold(jobs.Select(job => job.Id));
        return jobs;
    }

    public bool IsAsked(ModelJob job) => _asked.Contains(job.Id) || (job.Batch is not null && _stopped.Contains(job.Batch));

    public List<LeaseState> Renew(string worker, IEnumerable<ClaimedJob> claims)
    {
        _gone.Remove(worker);
        var list = claims.ToList();
        Hold(list.Where(IsHeld).Select(claim => claim.Job.Id));
        return [.. list.Select(claim => !IsHeld(claim) ? LeaseState.Lost : IsAsked(_jobs[claim.Job.Id]) ? LeaseState.CancelAsked : LeaseState.Held)];
    }

    public bool IsInflight(string id) => _held.Contains(id) || _expired.Contains(id);

    public void Expire(string id)
    {
        _held.Remove(id);
        _expired.Remove(id);
        _expired.Add(id);
    }

    public void LoseWorker(string worker) => _gone.Add(worker);

    public int Reclaim()
    {
        string[] lost = [.. _expired, .. _held.Where(id => _gone.Contains(_jobs[id].Worker))];
        foreach (var id in lost)
        {
            GiveUp(id).Lost++;
            PushFront(id);
        }

        _gone.Clear();
        return lost.Length;
    }

    public bool MakeDue(string id)
    {
        if (!_later.Remove(id))
            return false;
        _due.Add(id);
        return true;
    }

    public List<bool> Redrive(IEnumerable<string> ids, string? batch)
    {
        var answers = new List<bool>();
        foreach (var id in ids)
        {
            answers.Add(_dead.Remove(id));
            if (!answers[^1])
                continue;
            var job = _jobs[id];
            if (batch is not null)
                Batch(batch).Ended.Remove(job.Row);
            _waiting[(int)job.Lane].Add(id);
        }

        if (batch is not null && answers.Contains(true))
            Unstop(batch);
        return answers;
    }

    public int Purge(IEnumerable<string> ids)
    {
        var dead = ids.Distinct().Where(_dead.Contains).ToList();
        dead.ForEach(Drop);
        return dead.Count;
    }

    public bool Knows(string id) => _jobs.ContainsKey(id);

    public void Pause(bool paused) => _paused = paused;

    /// <summary>Every list and every number, as <see cref="QueueSnapshot"/> writes them.</summary>
    public string ToText() => QueueSnapshot.Write(
        _waiting, _due, _later, _expired, _held, _dead, _jobs.Keys,
        _jobs.Values.Where(job => job.Leased).Select(job => $"{job.Id}={job.Token}|{job.Attempts}|{job.Lost}|{job.Worker}"),
        _asked, _stopped, _overdue, _standing.Select(claim => claim.Token), _paused,
        _batches.Select(b => (b.Key, $"{b.Value.Expected} {b.Value.Count(1)} {b.Value.Count(2)} {b.Value.Count(3)} {b.Value.Stop}",
            b.Value.Ended.Select(e => $"{e.Key}={e.Value}"), (IEnumerable<string>)b.Value.Finished)));

    // All leases that one call makes new end at the same time, and so in the order of their ids.
    private void Hold(IEnumerable<string> ids)
    {
        var renewed = ids.Distinct().Order(StringComparer.Ordinal).ToList();
        _held.RemoveAll(renewed.Contains);
        _expired.RemoveAll(renewed.Contains);
        _held.AddRange(renewed);
    }

    private void PushFront(string id) => PushFront(id, _jobs[id].Lane);

    // Who gives a job back names the lane that he knows it by.
    private void PushFront(string id, Lane lane) => _waiting[(int)lane].Insert(0, id);

    private void Drop(string id)
    {
        _jobs.Remove(id);
        _held.Remove(id);
        _expired.Remove(id);
        _dead.Remove(id);
        _asked.Remove(id);
    }
}
