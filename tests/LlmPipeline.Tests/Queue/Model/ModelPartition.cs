namespace LlmPipeline;

/// <summary>What one partition of a queue has to do, told plainly. All lists are in the order in which things leave them.</summary>
internal sealed class ModelPartition(int maxWaiting, int maxDead)
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
        var answers = new List<EnqueueOutcome>();
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
                _waiting[(int)job.Lane].Add(job.Id);
        }

        if (rows is null)
            return answers;
        rows.Expected += added;
        if (stopped && again)
            Unstop(batch!);
        else if (stopped && added > 0)
            _stopped.Add(batch!);
        return answers;
    }

    public (List<ModelJob> Jobs, bool Paused, bool Delayed) Claim(int most, string token, string worker, Lane from)
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

    public List<SettleOutcome> Complete(IEnumerable<ClaimedJob> claims, EndState state)
    {
        var found = claims.Select(claim => (Claim: claim, Answer: Look(claim))).ToList();
        foreach (var (claim, answer) in found.Where(f => f.Answer == SettleOutcome.Settled || (f.Answer == SettleOutcome.AlreadyEnded && state == EndState.Completed)))
        {
            // A paid completion also replaces an error; whatever else comes late changes nothing.
            if (claim.Job.Batch is { } batch && (!Batch(batch).Ended.ContainsKey(claim.Job.Row) || state == EndState.Completed))
                Count(batch, claim.Job, (int)state);
            Drop(claim.Job.Id);
            _overdue.Remove(claim.Job.Id);
        }

        return [.. found.Select(f => f.Answer)];
    }

    public List<SettleOutcome> Bury(IEnumerable<ClaimedJob> claims)
    {
        var answers = new List<SettleOutcome>();
        var buried = new List<string>();
        foreach (var claim in claims)
        {
            answers.Add(Look(claim));
            if (answers[^1] != SettleOutcome.Settled)
                continue;
            var job = _jobs[claim.Job.Id];
            Drop(job.Id);
            _jobs[job.Id] = new ModelJob(job.Id, job.Lane, job.Batch, job.Row);
            buried.Add(job.Id);
            // It is dead from now on, for a claim of the same job further on in the call too.
            _dead.Add(job.Id);
            if (job.Batch is { } batch && !Batch(batch).Ended.ContainsKey(job.Row))
                Count(batch, claim.Job, 2);
        }

        _dead.RemoveRange(_dead.Count - buried.Count, buried.Count);
        _dead.AddRange(buried.Order(StringComparer.Ordinal));
        while (_dead.Count > maxDead)
            Drop(_dead[0]);
        return answers;
    }

    public List<SettleOutcome> Retry(IEnumerable<ClaimedJob> claims, int attempts, bool delayed)
    {
        var answers = new List<SettleOutcome>();
        foreach (var claim in claims)
        {
            answers.Add(Look(claim));
            if (answers[^1] != SettleOutcome.Settled)
                continue;
            var job = GiveUp(claim.Job.Id);
            job.Attempts = attempts;
            if (delayed && !IsAsked(job))
                _later.Add(job.Id);
            else
                PushFront(job.Id, claim.Job.Lane);
        }

        return answers;
    }

    public List<SettleOutcome> Release(IReadOnlyList<ClaimedJob> claims)
    {
        var answers = new SettleOutcome[claims.Count];
        for (var n = claims.Count - 1; n >= 0; n--)
        {
            answers[n] = Look(claims[n]);
            if (answers[n] == SettleOutcome.Settled)
                PushFront(GiveUp(claims[n].Job.Id).Id, claims[n].Job.Lane);
        }

        return [.. answers];
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

    /// <summary>Its deadline has passed.</summary>
    public void PassDeadline(string id) => _overdue.Add(id);

    /// <summary>Takes what is asked to stop or overdue from one place: 0, 1, 2: the lanes; 3: the delayed.</summary>
    public List<ModelJob> Sweep(int place, string token, string worker)
    {
        // It looks as far as the first that waits.
        foreach (var id in _overdue.TakeWhile(id => !_jobs.ContainsKey(id) || _dead.Contains(id) || IsInflight(id)).Where(id => !IsInflight(id)).ToList())
            _overdue.Remove(id);
        var waits = place < 3 ? _waiting[place] : [.. _due, .. _later];
        var taken = waits.Select(id => _jobs[id]).Where(job => IsAsked(job) || _overdue.Contains(job.Id)).ToList();
        foreach (var job in taken)
        {
            _waiting.ToList().ForEach(lane => lane.Remove(job.Id));
            _due.Remove(job.Id);
            _later.Remove(job.Id);
            (job.Token, job.Worker, job.Leased) = (token, worker, true);
        }

        Hold(taken.Select(job => job.Id));
        if (taken.Count > 0)
            _gone.Remove(worker);
        return taken;
    }

    public List<bool> Cancel(IReadOnlyCollection<string> ids)
    {
        var asked = ids.Where(id => _jobs.ContainsKey(id) && !_dead.Contains(id)).ToList();
        _asked.UnionWith(asked);
        Hurry(asked.Where(id => _later.Contains(id) || _due.Contains(id)));
        return [.. ids.Select(asked.Contains)];
    }

    public void Stop(string batch)
    {
        var rows = Batch(batch);
        rows.Stop = true;
        if (rows.Ended.Count < rows.Expected)
            _stopped.Add(batch);
        Hurry(_later.Where(id => _jobs[id].Batch == batch));
    }

    public bool Knows(string id) => _jobs.ContainsKey(id);

    public void Pause(bool paused) => _paused = paused;

    /// <summary>Every list and every number, as <see cref="QueueSnapshot"/> writes them.</summary>
    public string ToText() => QueueSnapshot.Write(
        _waiting, _due, _later, _expired, _held, _dead, _jobs.Keys,
        _jobs.Values.Where(job => job.Leased).Select(job => $"{job.Id}={job.Token}|{job.Attempts}|{job.Lost}|{job.Worker}"),
        _asked, _stopped, _overdue, _paused,
        _batches.Select(b => (b.Key, $"{b.Value.Expected} {b.Value.Count(1)} {b.Value.Count(2)} {b.Value.Count(3)} {b.Value.Stop}",
            b.Value.Ended.Select(e => $"{e.Key}={e.Value}"), (IEnumerable<string>)b.Value.Finished)));

    private bool IsHeld(ClaimedJob claim) => _jobs.TryGetValue(claim.Job.Id, out var job) && job.Token == claim.Token;

    private SettleOutcome Look(ClaimedJob claim) => IsHeld(claim) ? SettleOutcome.Settled
        : !_jobs.ContainsKey(claim.Job.Id) || _dead.Contains(claim.Job.Id) ? SettleOutcome.AlreadyEnded
        : SettleOutcome.SomeoneElses;

    private void Count(string batch, Job job, int state)
    {
        var rows = Batch(batch);
        if (rows.Ended.TryGetValue(job.Row, out var before) && before == state)
            return;
        rows.Ended[job.Row] = state;
        rows.Finished.Add(job.Id);
        if (rows.Stop && rows.Ended.Count >= rows.Expected)
            _stopped.Remove(batch);
    }

    // All leases that one call makes new end at the same time, and so in the order of their ids.
    private void Hold(IEnumerable<string> ids)
    {
        var renewed = ids.Distinct().Order(StringComparer.Ordinal).ToList();
        _held.RemoveAll(renewed.Contains);
        _expired.RemoveAll(renewed.Contains);
        _held.AddRange(renewed);
    }

    private void Hurry(IEnumerable<string> ids)
    {
        var due = ids.Distinct().Order(StringComparer.Ordinal).ToList();
        _later.ExceptWith(due);
        _due.RemoveAll(due.Contains);
        _due.AddRange(due);
    }

    private ModelJob GiveUp(string id)
    {
        _held.Remove(id);
        _expired.Remove(id);
        var job = _jobs[id];
        (job.Token, job.Worker) = (null, "");
        return job;
    }

    private void PushFront(string id) => PushFront(id, _jobs[id].Lane);

    // Who gives a job back names the lane that he knows it by.
    private void PushFront(string id, Lane lane) => _waiting[(int)lane].Insert(0, id);

    private void Unstop(string batch)
    {
        Batch(batch).Stop = false;
        _stopped.Remove(batch);
    }

    private void Drop(string id)
    {
        _jobs.Remove(id);
        _held.Remove(id);
        _expired.Remove(id);
        _dead.Remove(id);
        _asked.Remove(id);
    }
}
