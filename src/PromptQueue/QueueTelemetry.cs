using System.Diagnostics;

namespace LlmPipeline;

/// <summary>Traces of the queue, named by OpenTelemetry's conventions for messaging.</summary>
internal static class QueueTelemetry
{
    private static readonly ActivitySource Source = new("LlmPipeline.PromptQueue");

    /// <summary>The span of an enqueue call; its id travels with the jobs, so that their processing is part of the same trace. Null when nobody listens.</summary>
    public static Activity? Send(IReadOnlyList<Job> jobs)
    {
        if (!Source.HasListeners() || jobs.Count == 0)
            return null;
        var activity = Source.StartActivity($"send {jobs[0].Queue}", ActivityKind.Producer);
        activity?.SetTag("messaging.system", "llmpipeline").SetTag("messaging.operation.name", "enqueue").SetTag("messaging.operation.type", "send")
            .SetTag("messaging.destination.name", jobs[0].Queue).SetTag("messaging.batch.message_count", jobs.Count);
        return activity;
    }
}
