namespace LlmPipeline;

/// <summary>Which deployment takes a call.</summary>
internal sealed class DeploymentSet(IReadOnlyList<Deployment> all)
{
    private readonly HashSet<string> _named = [.. all.Where(one => !one.Options.ServesAll).Select(one => one.Options.Model!)];

    public IReadOnlyList<Deployment> All => all;

    /// <summary>Those that serve this model: those that name it, else those that serve every other one.</summary>
    public IEnumerable<Deployment> For(string model)
    {
        var isNamed = _named.Contains(model);
        foreach (var deployment in all)
            if (isNamed ? deployment.Options.Model == model : deployment.Options.ServesAll)
                yield return deployment;
    }

    /// <summary>
    /// The best one for the next call: not shut, with room, of the lowest priority number, not the one that has just failed, with the most room.
    /// None: how long until one is no longer shut, or null when all are closed by their own fault.
    /// </summary>
    public (Deployment? Deployment, TimeSpan? Wait) Choose(string model, Deployment? failed)
    {
        Deployment? best = null;
        (bool, int, bool, bool, int) bestRank = default;
        TimeSpan? wait = null;
        foreach (var one in For(model))
        {
            if (one.ClosedReason(model) is not null)
                continue;
            if (one.ShutFor is var shut && shut > TimeSpan.Zero)
            {
                wait = wait is { } sooner && sooner < shut ? sooner : shut;
                continue;
            }
            var room = one.Room(model);
            var rank = (room == 0, one.Options.Priority, !one.Circuit.IsClosed, one == failed, -room);
            if (best is null || rank.CompareTo(bestRank) < 0)
                (best, bestRank) = (one, rank);
        }
        return (best, wait);
    }
}
