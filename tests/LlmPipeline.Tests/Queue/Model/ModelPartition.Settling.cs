namespace LlmPipeline;

/// <summary>How its claims end.</summary>
internal sealed partial class ModelPartition
{
    public List<SettleOutcome> Complete(IEnumerable<ClaimedJob> claims, EndState state)
    {
        var found = claims.Select(claim => (Claim: claim, Answer: Look(claim))).ToList();
        // What ends in one call ends in the order of its rows.
        foreach (var (claim, answer) in found.Where(f => f.Answer == SettleOutcome.Settled || (f.Answer == SettleOutcome.AlreadyEnded && state == EndState.Completed)).OrderBy(f => f.Claim.Job.Row))
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

    private ModelJob GiveUp(string id)
    {
        _held.Remove(id);
        _expired.Remove(id);
        var job = _jobs[id];
        (job.Token, job.Worker) = (null, "");
        return job;
    }
}
