using System.Diagnostics.Metrics;

namespace LlmPipeline;

/// <summary>How much of each deployment's quota this process has used in the last minute, as a metric: 1 for all of it. Over a fleet, the sum of its processes.</summary>
internal sealed class QuotaGauge : IDisposable
{
    private readonly Meter _meter = new(Telemetry.Name);

    public QuotaGauge(IReadOnlyList<Deployment> deployments)
    {
        _meter.CreateObservableGauge("llmpipeline.quota.utilization", () => deployments.SelectMany(Used), "1", "Share of a deployment's quota that this process used in the last minute");
        _meter.CreateObservableGauge("llmpipeline.calls.running", () => deployments.Select(one => new Measurement<long>(one.Status().InFlight, Name(one))), "{call}", "Calls under way");
        _meter.CreateObservableGauge(
            "llmpipeline.deployment.shut", () => deployments.Select(one => new Measurement<int>(one.ShutFor > TimeSpan.Zero || one.Status().ClosedReason is not null ? 1 : 0, Name(one))), "1",
            "1 while a deployment takes no calls: its gate is closed, its circuit open, or it was closed for good");
    }

    public void Dispose() => _meter.Dispose();

    private static IEnumerable<Measurement<double>> Used(Deployment deployment)
    {
        var (minute, limits) = (deployment.Counters.LastMinute, deployment.Quota.Limits);
        if (limits.Requests > 0)
            yield return new Measurement<double>(minute.Calls / limits.Requests, Name(deployment), new("llmpipeline.quota.unit", "requests"));
        if (limits.Tokens > 0)
            yield return new Measurement<double>((minute.Input + minute.Output) / limits.Tokens, Name(deployment), new("llmpipeline.quota.unit", "tokens"));
    }

    private static KeyValuePair<string, object?> Name(Deployment deployment) => new("llmpipeline.deployment", deployment.Name);
}
