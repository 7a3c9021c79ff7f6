using System.Globalization;

namespace LlmPipeline;

/// <summary>What keeps a run from calling, in a few words.</summary>
internal static class RunObstacles
{
    private const int LongestReason = 100;

    /// <summary>What is unavailable, rate-limited or left alone now; null when nothing is.</summary>
    public static string? Text(IReadOnlyList<DeploymentStatus> deployments)
    {
        var several = deployments.Count > 1;
        foreach (var deployment in deployments)
        {
            var name = several ? deployment.Name + " " : "";
            if (deployment.Outages.Count > 0)
                return $"{name}unavailable: {Short(deployment.Outages[0].Reason)}";
            if (deployment.Models.FirstOrDefault(one => one.GateClosedUntil is not null) is { } limited)
                return $"{name}rate-limited until {Clock(limited.GateClosedUntil!.Value)}{(limited.GateReason is null ? "" : $": {Short(limited.GateReason)}")}";
            if (deployment.Models.FirstOrDefault(one => one.CircuitOpenUntil is not null) is { } broken)
                return $"{name}failing, left alone until {Clock(broken.CircuitOpenUntil!.Value)}{(broken.CircuitReason is null ? "" : $": {Short(broken.CircuitReason)}")}";
        }

        return null;
    }

    private static string Clock(DateTimeOffset time) => time.ToLocalTime().ToString("HH:mm:ss", CultureInfo.InvariantCulture);

    private static string Short(string reason) => reason.Length <= LongestReason ? reason : string.Concat(reason.AsSpan(0, LongestReason), "…");
}
