namespace LlmPipeline;

/// <summary>A deployment, and the model that it is asked for: a job's own, or one to fall back to.</summary>
internal readonly record struct Route(Deployment Deployment, string Model);

/// <summary>Which deployment takes a call.</summary>
/// <param name="all">The deployments.</param>
/// <param name="fallbacks">Model → the models to fall back to, in order; <c>*</c> for those that are not named.</param>
/// <param name="maxInlineWait">A gate that opens within this is waited for rather than falling back to another model.</param>
internal sealed class DeploymentSet(IReadOnlyList<Deployment> all, IReadOnlyDictionary<string, IList<string>> fallbacks, TimeSpan maxInlineWait)
{
    private readonly HashSet<string> _named = [.. all.Where(one => !one.Options.ServesAll).Select(one => one.Options.Model!)];

    public IReadOnlyList<Deployment> All => all;

    /// <summary>All ways a job of this model may go: to deployments of its own model, then to those of the models to fall back to.</summary>
    public IEnumerable<Route> For(string model) => Tiers(model).SelectMany(tier => tier);

    /// <summary>The ways it goes at the moment: to its own model, unless all deployments of that are closed, down or told to wait for long.</summary>
    public IEnumerable<Route> Open(string model) => Tiers(model).FirstOrDefault(tier => tier.Any(route => !IsAway(route))) ?? [];

    /// <summary>
    /// The best one for the next call: not shut, with room, of the lowest priority number, not the one that has just failed, with the most room.
    /// None: how long until one is no longer shut, or null when all are closed by their own fault.
    /// </summary>
    /// <param name="model">What the job asks for.</param>
    /// <param name="failed">The deployment of the last try.</param>
    /// <param name="down">Those that this job has found down: taken only when there are no others.</param>
    public (Route? Route, TimeSpan? Wait) Choose(string model, Deployment? failed, IReadOnlyCollection<Deployment> down)
    {
        TimeSpan? wait = null;
        foreach (var tier in Tiers(model))
        {
            if (Best(tier, failed, down, ref wait) is { } best)
                return (best, null);
            // Its own model will take it soon.
            if (tier.Any(route => !IsAway(route) && !down.Contains(route.Deployment)))
                break;
        }

        return down.Count > 0 && wait is null ? Choose(model, failed, []) : (null, wait);
    }

    private static Route? Best(IEnumerable<Route> tier, Deployment? failed, IReadOnlyCollection<Deployment> down, ref TimeSpan? wait)
    {
        Route? best = null;
        (bool, int, bool, bool, int) bestRank = default;
        foreach (var route in tier)
        {
            var one = route.Deployment;
            if (one.ClosedReason(route.Model) is not null || down.Contains(one))
                continue;
            if (one.ShutFor is var shut && shut > TimeSpan.Zero)
            {
                wait = wait is { } sooner && sooner < shut ? sooner : shut;
                continue;
            }

            var room = one.Room(route.Model);
            var rank = (room == 0, one.Options.Priority, !one.Circuit.IsClosed, one == failed, -room);
            if (best is null || rank.CompareTo(bestRank) < 0)
                (best, bestRank) = (route, rank);
        }

        return best;
    }

    private IEnumerable<IEnumerable<Route>> Tiers(string model)
    {
        yield return Serving(model);
        foreach (var other in fallbacks.GetValueOrDefault(model) ?? fallbacks.GetValueOrDefault("*") ?? [])
        {
            if (other != model)
                yield return Serving(other);
        }
    }

    // Those that name it, else those that serve every other one.
    private IEnumerable<Route> Serving(string model)
    {
        var isNamed = _named.Contains(model);
        return all.Where(one => isNamed ? one.Options.Model == model : one.Options.ServesAll).Select(one => new Route(one, model));
    }

    private bool IsAway(Route route) =>
        route.Deployment.ClosedReason(route.Model) is not null || route.Deployment.Circuit.OpenFor > TimeSpan.Zero || route.Deployment.Quota.ClosedFor > maxInlineWait;
}
