namespace LlmPipeline;

/// <summary>A deployment, and the model that it is asked for: a job's own, or one to fall back to.</summary>
internal readonly record struct Route(Deployment Deployment, string Model);

/// <summary>What a call needs of a deployment.</summary>
/// <param name="Model">What the job asks for.</param>
/// <param name="Path">The path of the API.</param>
/// <param name="Flow">The job's <see cref="JobFlow"/>.</param>
internal readonly record struct RouteRequest(string Model, string? Path, string Flow)
{
    /// <summary>The deployment of the last try.</summary>
    public Deployment? Failed { get; init; }

    /// <summary>Those that this job has found down: taken only when there are no others.</summary>
    public IReadOnlyCollection<Deployment> Down { get; init; } = [];

    /// <summary>Whether it may probe what is unavailable.</summary>
    public bool MayProbe { get; init; } = true;
}

/// <summary>The deployment that was chosen.</summary>
/// <param name="Route">The deployment and the model; null for none.</param>
/// <param name="Outage">What the call probes; null for nothing.</param>
/// <param name="Wait">Without a route: how long until one is no longer shut; null when none serves the model.</param>
internal sealed record Choice(Route? Route, Outage? Outage, TimeSpan? Wait);

/// <summary>Which deployment takes a call.</summary>
/// <param name="all">The deployments.</param>
/// <param name="fallbacks">Model → the models to fall back to, in order; <c>*</c> for those that are not named.</param>
/// <param name="maxInlineWait">A gate that opens within this is waited for rather than falling back to another model.</param>
internal sealed class DeploymentSet(
    IReadOnlyList<Deployment> all, IReadOnlyDictionary<string, IList<string>> fallbacks, TimeSpan maxInlineWait)
{
    private static readonly TimeSpan ShortestWait = TimeSpan.FromMilliseconds(250);
    private readonly HashSet<string> _named = [.. all.Where(one => !one.Options.ServesAll).Select(one => one.Options.Model!)];

    public IReadOnlyList<Deployment> All => all;

    /// <summary>The models that have a way to go; <see cref="FleetModels.Every"/> where each has one.</summary>
    public IReadOnlyCollection<string> Models =>
        [.. _named.Concat(fallbacks.Keys).Append(FleetModels.Every).Distinct(StringComparer.Ordinal).Where(model => For(model).Any())];

    /// <summary>All ways a job of this model may go: to deployments of its own model, then to those of the models to fall back to.</summary>
    public IEnumerable<Route> For(string model) => Tiers(model).SelectMany(tier => tier);

    /// <summary>The ways it goes at the moment: to its own model, unless all deployments of that are closed, down or told to wait for long.</summary>
    public IEnumerable<Route> Open(string model) => Tiers(model).FirstOrDefault(tier => tier.Any(route => !IsAway(route))) ?? [];

    /// <summary>
    /// The best one for the next call: available or to be probed, not shut, with room, of the lowest priority number, not the one that has
    /// just failed, with the most room.
    /// </summary>
    public Choice Choose(in RouteRequest request)
    {
        TimeSpan? wait = null;
        var down = request.Down;
        foreach (var tier in Tiers(request.Model))
        {
            var routes = tier.ToList();
            if (Best(routes, request, ref wait) is { Route: not null } best)
                return best;
            // Its own model will take it soon.
            if (routes.Exists(route => !IsAway(route) && !down.Contains(route.Deployment)))
                break;
        }

        return down.Count > 0 && wait is null ? Choose(request with { Down = [] }) : new Choice(null, null, wait);
    }

    /// <summary>
    /// About how many more calls of this model quota and concurrency will admit within the next second; 1 when nothing is available and
    /// something may be probed.
    /// </summary>
    public int Room(string model)
    {
        long room = 0;
        foreach (var route in Open(model))
            room += route.Deployment.Room(route.Model);
        if (room == 0
            && For(model).Any(
                route => route.Deployment.Availability.Find(route.Model) is not null && route.Deployment.Room(route.Model) > 0))
            return 1;
        return (int)Math.Min(room, int.MaxValue);
    }

    /// <summary>Why no deployment can serve rows of this kind; null while one can.</summary>
    /// <param name="model">The model.</param>
    /// <param name="path">The path of the API; null for any.</param>
    /// <param name="batch">The batch; null for any.</param>
    public Blockage? BlockageOf(string model, string? path, string? batch)
    {
        var reasons = new List<string>();
        var (isConfirmed, isOfBatch) = (true, false);
        foreach (var (deployment, served) in For(model))
        {
            var outage = batch is null ? deployment.Availability.Find(served) : deployment.Availability.FindOfBatch(served, path, batch);
            if (outage is null)
                return null;
            isConfirmed &= outage.IsConfirmed;
            isOfBatch |= outage.Scope.Flow is not null;
            reasons.Add($"{deployment.Name} ({deployment.EndpointName}): {outage.Reason}");
        }

        return reasons.Count == 0
            ? new Blockage($"no deployment serves the model {model}", true)
            : new Blockage(string.Join("; ", reasons), isConfirmed, isOfBatch);
    }

    private static Choice? Best(IEnumerable<Route> tier, in RouteRequest request, ref TimeSpan? wait)
    {
        Choice? best = null;
        (int, bool, int, bool, bool, int) bestRank = default;
        foreach (var route in tier)
        {
            var one = route.Deployment;
            if (request.Down.Contains(one))
                continue;
            var model = one.Of(route.Model);
            var outage = one.Availability.Find(route.Model, request.Path, request.Flow);
            var away = model.ShutFor;
            if (outage is not null
                && !(request.MayProbe && one.Availability.MayProbe(outage, request.Flow))
                && one.Availability.UntilProbe(outage) is var untilProbe)
                away = untilProbe > away ? untilProbe : away > TimeSpan.Zero ? away : ShortestWait;
            if (away > TimeSpan.Zero)
            {
                wait = wait is { } sooner && sooner < away ? sooner : away;
                continue;
            }

            var room = one.Room(route.Model);
            // A probe that is due goes first, or work that others do would keep it from ever being made; one that is not yet due replaces
            // no other.
            var order = outage is null ? 1 : one.Availability.UntilProbe(outage) == TimeSpan.Zero ? 0 : 2;
            var rank = (order, room == 0, one.Options.Priority, !model.Circuit.IsClosed, one == request.Failed, -room);
            if (best is null || rank.CompareTo(bestRank) < 0)
                (best, bestRank) = (new Choice(route, outage, null), rank);
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

    private bool IsAway(Route route)
    {
        var model = route.Deployment.Of(route.Model);
        return route.Deployment.Availability.Find(route.Model) is not null
            || model.Circuit.OpenFor > TimeSpan.Zero
            || model.Quota.ClosedFor > maxInlineWait;
    }
}
