using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace LlmPipeline;

/// <summary>What the worker counts beside its calls, and the spans of a job; names by the OpenTelemetry messaging conventions where they have one.</summary>
internal static class WorkerTelemetry
{
    public static readonly Meter Meter = new(Telemetry.Name);

    public static readonly Counter<long> LostLeases = Meter.CreateCounter<long>("llmpipeline.leases.lost", "{lease}", "Leases that were lost while their job ran");

    public static readonly Counter<long> Reclaimed = Meter.CreateCounter<long>("llmpipeline.leases.reclaimed", "{lease}", "Leases that this process returned to a queue");

    public static readonly Counter<long> ClockSteps = Meter.CreateCounter<long>(
        "llmpipeline.clock.steps", "{step}", "Steps back of Redis' clock, each once in a partition of a queue and once in a quota account");

    public static readonly Counter<long> Fenced = Meter.CreateCounter<long>("llmpipeline.settle.fenced", "{job}", "Settle calls refused because the claim is another's");

    public static readonly Histogram<double> Wait = Meter.CreateHistogram(
        "llmpipeline.job.wait.duration", "s", "From enqueue to claim", [], new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.005, 0.05, 0.5, 5, 30, 60, 300, 1800, 3600, 21600, 86400] });

    private static readonly Counter<long> Ended = Meter.CreateCounter<long>("llmpipeline.jobs.ended", "{job}", "Jobs whose result this process stored, by status");

    private static readonly Counter<long> PaidTwice = Meter.CreateCounter<long>(
        "llmpipeline.calls.paid_twice", "{call}", "Completions that came when another one stood already: both were paid");

    /// <summary>The span of a job in this process, part of the trace of whoever enqueued it, and beside it how long it had waited. Null when nobody listens.</summary>
    public static Activity? Process(ClaimedJob claim, TimeProvider time)
    {
        if (!Telemetry.Source.HasListeners())
            return null;
        var now = time.GetUtcNow();
        var job = claim.Job;
        ActivityContext.TryParse(job.TraceParent, null, isRemote: true, out var sender);
        using (var wait = Telemetry.Source.StartActivity("wait", ActivityKind.Internal, sender, Tags(job), startTime: now - claim.Age))
            wait?.SetEndTime(now.UtcDateTime);
        var activity = Telemetry.Source.StartActivity($"process {job.Queue}", ActivityKind.Consumer, sender, Tags(job), startTime: now);
        activity?.SetTag("messaging.operation.type", "process").SetTag("llmpipeline.job.attempts", claim.Attempts).SetTag("llmpipeline.job.batch", job.Batch);
        return activity;
    }

    /// <summary>The span of what follows the calls: the result is stored, and the claim settled.</summary>
    public static Activity? Store(ResultStatus status) => Telemetry.Source.StartActivity("store")?.SetTag("llmpipeline.job.status", Name(status));

    public static void End(Activity? activity, CallOutcome outcome)
    {
        activity?.SetTag("llmpipeline.job.verdict", outcome.Verdict.ToString());
        if (outcome.Verdict != CallVerdict.Completed)
            activity?.SetStatus(ActivityStatusCode.Error, outcome.ErrorCode).SetTag("error.type", outcome.ErrorCode);
    }

    public static void Stored(string queue, ResultStatus status, bool isPaidTwice)
    {
        var destination = new KeyValuePair<string, object?>("messaging.destination.name", queue);
        Ended.Add(1, destination, new("llmpipeline.job.status", Name(status)));
        if (isPaidTwice)
            PaidTwice.Add(1, destination);
    }

    private static IEnumerable<KeyValuePair<string, object?>> Tags(Job job) =>
        [new("messaging.system", "llmpipeline"), new("messaging.destination.name", job.Queue), new("messaging.message.id", job.Id)];

    private static string Name(ResultStatus status) => status.ToString().ToLowerInvariant();
}
