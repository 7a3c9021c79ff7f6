namespace LlmPipeline;

/// <summary>
/// What a limiter has to report to its ledger, collected until the next exchange. Not safe for threads; the limiter locks.
/// </summary>
internal sealed class PendingUsage
{
    private readonly Dictionary<long, QuotaSettlement> _settled = [];
    private LedgerUpdate _update = new();

    /// <summary>Whether there is something that cannot wait: a limit, a closed gate.</summary>
    public bool IsUrgent { get; private set; }

    public bool IsEmpty => !IsUrgent && _settled.Count == 0;

    public void Add(QuotaSettlement settled)
    {
        var before = _settled.GetValueOrDefault(settled.Slot);
        _settled[settled.Slot] = new QuotaSettlement(
            settled.Slot, before.Requests + settled.Requests, before.Tokens + settled.Tokens, before.Pace + settled.Pace);
    }

    public void Learn(double? requests, double? tokens, bool guessed)
    {
        _update = _update with
        {
            LearnedRequests = requests ?? _update.LearnedRequests,
            LearnedTokens = tokens ?? _update.LearnedTokens,
            Guessed = requests is null ? _update.Guessed : guessed,
        };
        IsUrgent = true;
    }

    /// <param name="gate">For how long.</param>
    /// <param name="failed">See <see cref="LedgerUpdate.Failed"/>.</param>
    /// <param name="probes">See <see cref="LedgerUpdate.Probes"/>.</param>
    public void Close(TimeSpan gate, double? failed, bool probes)
    {
        _update = _update with
        {
            Gate = gate > _update.Gate ? gate : _update.Gate,
            Probes = gate > _update.Gate ? probes : _update.Probes,
            Failed = failed ?? _update.Failed,
        };
        IsUrgent = true;
    }

    public void Open()
    {
        _update = _update with { Opens = true };
        IsUrgent = true;
    }

    /// <summary>Takes it all; null for nothing.</summary>
    public LedgerUpdate? Take()
    {
        if (IsEmpty)
            return null;
        var update = _update with { Settlements = [.. _settled.Values] };
        _settled.Clear();
        _update = new LedgerUpdate();
        IsUrgent = false;
        return update;
    }

    /// <summary>
    /// Takes back what was sent without an answer. It may have been booked, so what returns quota is dropped: twice would be too much.
    /// </summary>
    public void Restore(LedgerUpdate update)
    {
        foreach (var settled in update.Settlements)
            if (settled is { Requests: >= 0, Tokens: >= 0 })
                Add(settled with { Pace = Math.Max(0, settled.Pace) });
        if (update.LearnedRequests is not null || update.LearnedTokens is not null)
            Learn(update.LearnedRequests, update.LearnedTokens, update.Guessed);
        if (update.Gate > TimeSpan.Zero || update.Failed is not null)
            Close(update.Gate, update.Failed, update.Probes);
        if (update.Opens)
            Open();
    }
}
