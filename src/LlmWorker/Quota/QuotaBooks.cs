namespace LlmPipeline;

/// <summary>What a limiter has to tell its ledger, gathered until the next exchange. Not safe for threads; the limiter locks.</summary>
internal sealed class QuotaBooks
{
    private readonly Dictionary<long, QuotaSettlement> _settled = [];
    private QuotaNews _news = new();

    /// <summary>Whether there is news that cannot wait: a limit, a closed gate.</summary>
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
        _news = _news with
        {
            LearnedRequests = requests ?? _news.LearnedRequests,
            LearnedTokens = tokens ?? _news.LearnedTokens,
            Guessed = requests is null ? _news.Guessed : guessed,
        };
        IsUrgent = true;
    }

    public void Close(TimeSpan gate, double? failed)
    {
        _news = _news with { Gate = gate > _news.Gate ? gate : _news.Gate, Failed = failed ?? _news.Failed };
        IsUrgent = true;
    }

    /// <summary>Takes it all; null for nothing.</summary>
    public QuotaNews? Take()
    {
        if (IsEmpty)
            return null;
        var news = _news with { Settlements = [.. _settled.Values] };
        _settled.Clear();
        _news = new QuotaNews();
        IsUrgent = false;
        return news;
    }

    /// <summary>Takes back what was told without an answer. It may have been heard, so what gives back is dropped: twice would be too much.</summary>
    public void Restore(QuotaNews news)
    {
        foreach (var settled in news.Settlements)
            if (settled is { Requests: >= 0, Tokens: >= 0 })
                Add(settled with { Pace = Math.Max(0, settled.Pace) });
        if (news.LearnedRequests is not null || news.LearnedTokens is not null)
            Learn(news.LearnedRequests, news.LearnedTokens, news.Guessed);
        if (news.Gate > TimeSpan.Zero || news.Failed is not null)
            Close(news.Gate, news.Failed);
    }
}
