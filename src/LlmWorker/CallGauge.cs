using System.Diagnostics.Metrics;

namespace LlmPipeline;

/// <summary>Where the jobs that a process holds are, as a metric: <see cref="CallCounts"/> by state.</summary>
internal sealed class CallGauge : IDisposable
{
    private readonly Meter _meter = new(Telemetry.Name);

    public CallGauge(Func<CallCounts> count) => _meter.CreateObservableGauge(
        "llmpipeline.worker.jobs", () => Measure(count()), "{job}", "Jobs that this worker holds: in_flight (sent), waiting_for_quota, retrying, waiting_for_slot");

    public void Dispose() => _meter.Dispose();

    private static Measurement<int>[] Measure(CallCounts counts) =>
    [
        Of("in_flight", counts.InFlight), Of("waiting_for_quota", counts.WaitingForQuota), Of("retrying", counts.Retrying),
        Of("waiting_for_slot", counts.WaitingForSlot),
    ];

    private static Measurement<int> Of(string state, int jobs) => new(jobs, new KeyValuePair<string, object?>("llmpipeline.job.state", state));
}
