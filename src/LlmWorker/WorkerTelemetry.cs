using System.Diagnostics.Metrics;

namespace LlmPipeline;

/// <summary>What the worker counts beside its calls; names by the OpenTelemetry messaging conventions where they have one.</summary>
internal static class WorkerTelemetry
{
    public static readonly Meter Meter = new("LlmPipeline.LlmWorker");

    public static readonly Counter<long> LostLeases = Meter.CreateCounter<long>("llmpipeline.leases.lost", "{lease}", "Leases that were lost while their job ran");

    public static readonly Counter<long> Reclaimed = Meter.CreateCounter<long>("llmpipeline.leases.reclaimed", "{lease}", "Leases that this process returned to a queue");

    public static readonly Counter<long> Fenced = Meter.CreateCounter<long>("llmpipeline.settle.fenced", "{job}", "Settle calls refused because the claim is another's");

    public static readonly Histogram<double> Wait = Meter.CreateHistogram<double>("llmpipeline.job.wait.duration", "s", "From enqueue to claim");
}
