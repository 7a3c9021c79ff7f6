using System.Globalization;

namespace LlmPipeline;

/// <summary>A deployment, a model or a batch of it, as one worker sees it.</summary>
/// <param name="Deployment">The deployment's name.</param>
/// <param name="Model">The model; <c>*</c> for all.</param>
/// <param name="State"><c>open</c>, <c>unavailable</c>, <c>rate-limited</c> or <c>circuit open</c>.</param>
/// <param name="Since">When it was closed; null when it is open, and where that is not known.</param>
/// <param name="Until">When it is called again; null when it is open.</param>
/// <param name="Batch">The batch that it is closed for; null for all.</param>
/// <param name="Reason">The provider's sentence; null when it is open.</param>
/// <param name="Worker">The worker.</param>
internal sealed record DeploymentState(
    string Deployment, string Model, string State, DateTimeOffset? Since, DateTimeOffset? Until, string? Batch, string? Reason, string Worker)
{
    public bool IsOpen => State == "open";

    /// <summary>What the workers of a fleet report.</summary>
    public static async Task<IReadOnlyList<DeploymentState>> ReadAsync(Fleet fleet, CancellationToken cancellationToken) =>
        Of(await fleet.AnsweredAsync(fleet.Deployments.ReadAsync, cancellationToken).ConfigureAwait(false));

    /// <summary>The same of reports that were read.</summary>
    public static IReadOnlyList<DeploymentState> Of(IEnumerable<WorkerDeployments> reports) =>
        [.. reports.SelectMany(worker => worker.Deployments.SelectMany(one => Of(worker.Worker, one)))];

    /// <summary>What is closed, a line each.</summary>
    public static IEnumerable<string> Closed(IEnumerable<DeploymentState> all) => all.Where(one => !one.IsOpen)
        .GroupBy(one => (one.Deployment, one.Model, one.State, one.Batch))
        .Select(group => (group.First(), Workers: group.Count()))
        .Select(one => $"deployment {one.Item1.Deployment}, model {one.Item1.Model}{(one.Item1.Batch is null ? "" : $", batch {one.Item1.Batch}")}: {one.Item1.State}"
            + $"{(one.Item1.Until is { } until ? $" until {Text(until)}" : "")}{(one.Workers > 1 ? $" on {one.Workers} workers" : "")}{(one.Item1.Reason is null ? "" : $": {one.Item1.Reason}")}");

    public static FleetTable Table(IReadOnlyList<DeploymentState> all)
    {
        var table = new FleetTable("DEPLOYMENT", "MODEL", "STATE", "UNTIL", "WORKER", "REASON");
        foreach (var one in all)
            table.Add(one.Deployment, one.Model, one.State, one.Until is { } until ? Text(until) : "", one.Worker, $"{(one.Batch is null ? "" : $"batch {one.Batch}: ")}{one.Reason}");
        return table;
    }

    private static IEnumerable<DeploymentState> Of(string worker, DeploymentStatus deployment)
    {
        var closed = deployment.Outages
            .Select(one => new DeploymentState(deployment.Name, one.Model ?? "*", "unavailable", one.Since, one.NextProbe, one.Flow is { Length: > 0 } ? one.Flow : null, one.Reason, worker))
            .Concat(deployment.Models.Where(one => one.GateClosedUntil is not null)
                .Select(one => new DeploymentState(deployment.Name, one.Model, "rate-limited", null, one.GateClosedUntil, null, one.GateReason, worker)))
            .Concat(deployment.Models.Where(one => one.CircuitOpenUntil is not null)
                .Select(one => new DeploymentState(deployment.Name, one.Model, "circuit open", null, one.CircuitOpenUntil, null, one.CircuitReason, worker)))
            .ToList();
        return closed.Count > 0 ? closed : [new DeploymentState(deployment.Name, deployment.Model, "open", null, null, null, null, worker)];
    }

    private static string Text(DateTimeOffset time) => time.ToString("yyyy-MM-dd HH:mm:ss'Z'", CultureInfo.InvariantCulture);
}
