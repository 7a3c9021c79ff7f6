namespace LlmPipeline;

/// <summary>What the calls of a deployment have cost, in the price table's currency.</summary>
internal sealed record DeploymentCost(string Deployment, decimal Cost)
{
    /// <summary>Of several queues, by the name of the deployment.</summary>
    public static IReadOnlyList<DeploymentCost> Sums(IEnumerable<JobCost> costs) =>
    [
        .. costs.GroupBy(cost => cost.Deployment, StringComparer.Ordinal)
            .Select(group => new DeploymentCost(group.Key, JobCost.Amount(group.Sum(cost => cost.Nanos))))
            .OrderBy(cost => cost.Deployment, StringComparer.Ordinal),
    ];
}
