namespace LlmPipeline.Bench;

/// <summary>What something else came to.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Figure">Its figure.</param>
/// <param name="Counts">Whether the target is about it.</param>
/// <param name="MayFail">Whether the target stands on the others when this one cannot be measured.</param>
internal sealed record Peer(string Name, Figure Figure, bool Counts = true, bool MayFail = false);

/// <summary>A row of the table. The ratio, and whether the target is reached, follow from the figures: neither exists where one is missing.</summary>
internal sealed record Comparison
{
    public required string Measure { get; init; }

    public required Figure Ours { get; init; }

    public IReadOnlyList<Peer> Peers { get; init; } = [];

    /// <summary>Null for a figure that is only told.</summary>
    public Target? Target { get; init; }

    /// <summary>More than the figure says, for people.</summary>
    public string? Note { get; init; }

    /// <summary>Ours over the best of the peers that count; null when ours or one of them was not measured.</summary>
    public double? Ratio
    {
        get
        {
            var counting = Peers.Where(peer => peer.Counts && !(peer.MayFail && peer.Figure.Value is null)).ToList();
            if (counting.Count == 0 || counting.Exists(peer => peer.Figure.Value is null))
                return null;
            var best = Target is { IsAtLeast: false } ? counting.MinBy(peer => peer.Figure.Value)! : counting.MaxBy(peer => peer.Figure.Value)!;
            return Ours.Over(best.Figure);
        }
    }

    /// <summary>Null when nothing was asked, or it cannot be told.</summary>
    public bool? Reached => Target is { } target && (target.Of is null ? Ours.Value : Ratio) is { } value ? target.IsReachedBy(value) : null;
}
