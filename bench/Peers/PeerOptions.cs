namespace LlmPipeline.Bench;

/// <summary>How large the comparison is.</summary>
internal sealed record PeerOptions
{
    /// <summary>Jobs of a run with calls that end at once; the slow peers get a fortieth.</summary>
    public required int Jobs { get; init; }

    /// <summary>Runs of each driver, taken in turns; their median counts.</summary>
    public required int Rounds { get; init; }

    /// <summary>Jobs that wait in the long queue of the growth measurement.</summary>
    public required int Waiting { get; init; }

    /// <summary>Rows of the file that <c>llmpipe run</c> works through.</summary>
    public required int Rows { get; init; }

    /// <summary>Calls at a time in the memory measurement.</summary>
    public required int InFlight { get; init; }

    /// <summary>Jobs of a peer that makes some hundred a second.</summary>
    public int JobsOfSlowPeers => Math.Max(500, Jobs / 40);

    /// <summary>Jobs of a run over HTTP: enough that the first calls, which connect, are few.</summary>
    public int CallsAt(int concurrency) => Math.Min(Jobs, Math.Max(20_000, concurrency * 10));
}
