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
            "llmpipeline.deployment.unavailable", () => deployments.SelectMany(Unavailable), "1",
            "1 while a model of a deployment takes no calls: it is rate-limited, its circuit is open, or it is unavailable");
    }

    public void Dispose() => _meter.Dispose();

    private static IEnumerable<Measurement<double>> Used(Deployment deployment)
    {
        var (minute, limits) = (deployment.Counters.LastMinute, deployment.Models.Limits());
        if (limits.Requests > 0)
            yield return new Measurement<double>(minute.Calls / limits.Requests, Name(deployment), new("llmpipeline.quota.unit", "requests"));
        if (limits.Tokens > 0)
            yield return new Measurement<double>((minute.Input + minute.Output) / limits.Tokens, Name(deployment), new("llmpipeline.quota.unit", "tokens"));
    }

    private static IEnumerable<Measurement<int>> Unavailable(Deployment deployment)
    {
        var status = deployment.Status();
        yield return new Measurement<int>(
            status.Outages.Any(one => one.Model is null) ? 1 : 0, Name(deployment), Model("*"), Reason("unavailable"));
        foreach (var model in status.Models)
        {
            yield return new Measurement<int>(
                model.GateClosedUntil is null ? 0 : 1, Name(deployment), Model(model.Model), Reason("rate_limited"));
            yield return new Measurement<int>(
                model.CircuitOpenUntil is null ? 0 : 1, Name(deployment), Model(model.Model), Reason("circuit_open"));
        }

        foreach (var model in status.Outages.Where(one => one.Model is not null).Select(one => one.Model).Distinct())
            yield return new Measurement<int>(1, Name(deployment), Model(model!), Reason("unavailable"));
    }

    private static KeyValuePair<string, object?> Model(string model) => new("gen_ai.request.model", model);

    private static KeyValuePair<string, object?> Reason(string reason) => new("llmpipeline.reason", reason);

    private static KeyValuePair<string, object?> Name(Deployment deployment) => new("llmpipeline.deployment", deployment.Name);
}
