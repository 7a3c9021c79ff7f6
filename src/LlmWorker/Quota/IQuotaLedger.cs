namespace LlmPipeline;

/// <summary>
/// The quota of a deployment: the use of each minute, and which calls may go next. Alone it is in memory, in a fleet it is one hash
/// in Redis; both keep the same account by the same rules (docs/quota.md).
/// </summary>
internal interface IQuotaLedger
{
    /// <summary>Whether it answers at once and for this process alone.</summary>
    bool IsLocal { get; }

    /// <summary>Books what calls came to, and lets waiting ones pass in their order.</summary>
    /// <exception cref="Exception">The ledger is away, <see cref="RedisRetry.MayPass"/>: what was told may have been booked, and what was
    /// asked for may have been granted.</exception>
    ValueTask<QuotaAnswer> ExchangeAsync(LedgerUpdate? update, QuotaAsk ask);
}

/// <summary>An amount of each kind: requests and tokens. As limits: a minute, 0 for none.</summary>
internal readonly record struct QuotaAmount(double Requests, double Tokens)
{
    public bool IsNone => Requests <= 0 && Tokens <= 0;

    public double this[int kind] => kind == 0 ? Requests : Tokens;
}

/// <summary>To be added to what a slot of 100 ms took; and to what the pace counts.</summary>
internal readonly record struct QuotaSettlement(long Slot, long Requests, long Tokens, long Pace);

/// <summary>What a worker reports.</summary>
internal sealed record LedgerUpdate
{
    /// <summary>A limit that the provider has told, a minute; null for no change.</summary>
    public double? LearnedRequests { get; init; }

    /// <summary>The same for tokens.</summary>
    public double? LearnedTokens { get; init; }

    /// <summary>Whether <see cref="LearnedRequests"/> was guessed from where calls were refused.</summary>
    public bool Guessed { get; init; }

    /// <summary>Closes the gate for this time; zero for no change.</summary>
    public TimeSpan Gate { get; init; }

    /// <summary>The share of the limits at which a call was refused although they left room; null for no change.</summary>
    public double? Failed { get; init; }

    /// <summary>
    /// Whether that gate is closed for less time than the provider asks for: behind it one call passes alone, and the others when it was
    /// answered well.
    /// </summary>
    public bool Probes { get; init; }

    /// <summary>Whether the gate opens: the probe was answered well, or an operator says so.</summary>
    public bool Opens { get; init; }

    public IReadOnlyList<QuotaSettlement> Settlements { get; init; } = [];
}

/// <summary>What a worker asks for.</summary>
/// <param name="Limits">In force, a minute.</param>
/// <param name="Judged">What the provider counted of the minute; NaN for unknown.</param>
/// <param name="Waiting">How many calls wait in this worker.</param>
/// <param name="Calls">The first of them, in order: tokens to reserve, tokens that the pace counts.</param>
internal sealed record QuotaAsk(QuotaAmount Limits, QuotaAmount Judged, int Waiting, IReadOnlyList<(int Reserve, int Pace)> Calls)
{
    public static readonly QuotaAmount Unknown = new(double.NaN, double.NaN);
}

/// <summary>What a worker is told.</summary>
internal sealed record QuotaAnswer
{
    /// <summary>So many of the calls may go.</summary>
    public int Granted { get; init; }

    /// <summary>When to ask for the next one.</summary>
    public TimeSpan Wait { get; init; }

    /// <summary>Where the granted calls are booked.</summary>
    public long Slot { get; init; }

    /// <summary>How long the gate stays closed.</summary>
    public TimeSpan Gate { get; init; }

    /// <summary>Whether a probe is due or under way; then what is granted is the probe.</summary>
    public bool IsProbing { get; init; }

    /// <summary>Of the last minute, by everybody.</summary>
    public QuotaAmount Used { get; init; }

    /// <summary>What the pace has left; below zero nobody passes.</summary>
    public QuotaAmount Level { get; init; }

    /// <summary>Limits that the provider told, a minute; 0 for unknown.</summary>
    public QuotaAmount Learned { get; init; }

    /// <summary>Whether the requests among them are a guess.</summary>
    public bool Guessed { get; init; }

    /// <summary>How long ago the last cut was; null for never.</summary>
    public TimeSpan? SinceCut { get; init; }

    /// <summary>The share of the limits that failed then.</summary>
    public double Failed { get; init; } = 1;

    /// <summary>Other workers that asked within the last seconds.</summary>
    public int OtherWorkers { get; init; }

    /// <summary>The calls that wait in them.</summary>
    public int WaitingElsewhere { get; init; }

    /// <summary>How long the account has been kept.</summary>
    public TimeSpan Age { get; init; }

    /// <summary>By how much the clock of the account has stepped back since the last exchange of any worker; its times go on from the latest one.</summary>
    public TimeSpan SteppedBack { get; init; }
}
