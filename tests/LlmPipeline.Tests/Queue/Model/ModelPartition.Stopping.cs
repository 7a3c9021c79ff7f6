namespace LlmPipeline;

/// <summary>What is asked to stop, or is too late.</summary>
internal sealed partial class ModelPartition
{
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

    private void Hurry(IEnumerable<string> ids)
    {
        var due = ids.Distinct().Order(StringComparer.Ordinal).ToList();
        _later.ExceptWith(due);
        _due.RemoveAll(due.Contains);
        _due.AddRange(due);
    }

    private void Unstop(string batch)
    {
        Batch(batch).Stop = false;
        _stopped.Remove(batch);
    }
}
