using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace LlmPipeline;

/// <summary>What the worker measures, named by OpenTelemetry's conventions for generative AI where these have a name for it.</summary>
internal static class Telemetry
{
    public const string Name = "LlmPipeline.LlmWorker";

    public static readonly ActivitySource Source = new(Name);

    private static readonly Meter Meter = new(Name);

    // The bounds of both are those of the conventions.
    private static readonly Histogram<double> Duration = Meter.CreateHistogram(
        "gen_ai.client.operation.duration", "s", "How long a call took, from sending it to the last byte of the answer", [],
        new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92] });

    private static readonly Histogram<long> Tokens = Meter.CreateHistogram(
        "gen_ai.client.token.usage", "{token}", "Tokens of a call, as the provider counted them", [],
        new InstrumentAdvice<long> { HistogramBucketBoundaries = [1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864] });

    private static readonly Counter<long> Retried = Meter.CreateCounter<long>(
        "llmpipeline.llm.retries", "{try}", "Tries of a job that followed a failed one");

    private static readonly Counter<long> Reasked = Meter.CreateCounter<long>(
        "llmpipeline.llm.reasks", "{call}", "Calls that asked a model again because its answer did not fit the schema");

    private static readonly Counter<long> Throttled = Meter.CreateCounter<long>(
        "llmpipeline.llm.throttled", "{call}", "Calls that the provider put off: 429, or 503 with Retry-After");

    private static readonly Histogram<double> QuotaWait = Meter.CreateHistogram(
        "llmpipeline.quota.wait.duration", "s", "How long a call waited for its quota", [],
        new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60] });

    private static readonly Histogram<double> EstimateError = Meter.CreateHistogram<double>(
        "llmpipeline.quota.estimate.error", "1", "Estimated tokens of a call against those it used: 0 for right, 1 for twice as many, -0.5 for half");

    public static void Waited(Deployment deployment, string model, TimeSpan wait)
    {
        if (QuotaWait.Enabled)
            QuotaWait.Record(wait.TotalSeconds, Tags(deployment, model));
    }

    public static void Estimated(Deployment deployment, string model, long estimated, long used)
    {
        if (EstimateError.Enabled)
            EstimateError.Record(((double)estimated / used) - 1, Tags(deployment, model));
    }

    /// <summary>The span of an HTTP call; null when nobody listens.</summary>
    public static Activity? Call(Deployment deployment, string model, string? path)
    {
        if (!Source.HasListeners())
            return null;
        var tags = Tags(deployment, model);
        var operation = Operation(path);
        tags.Add("gen_ai.operation.name", operation);
        return Source.StartActivity($"{operation} {model}", ActivityKind.Client, default(ActivityContext), tags);
    }

    /// <summary>The span of waiting for a slot and for quota.</summary>
    public static Activity? Quota() => Source.StartActivity("quota");

    public static void Called(Deployment deployment, string model, string? path, HttpAnswer answer, TimeSpan duration, Activity? span)
    {
        if (span is not null)
        {
            span.SetTag("gen_ai.usage.input_tokens", answer.Parsed.Usage.Input).SetTag("gen_ai.usage.output_tokens", answer.Parsed.Usage.Output)
                .SetTag("http.response.status_code", answer.Status);
            if (answer.Status is not (>= 200 and < 300))
                span.SetStatus(ActivityStatusCode.Error).SetTag("error.type", Error(answer));
        }

        if (!Duration.Enabled && !Tokens.Enabled)
            return;
        var tags = Tags(deployment, model);
        tags.Add("gen_ai.operation.name", Operation(path));
        var usage = answer.Parsed.Usage;
        if (usage.Input > 0)
            Tokens.Record(usage.Input, [.. tags, new("gen_ai.token.type", "input")]);
        if (usage.Output > 0)
            Tokens.Record(usage.Output, [.. tags, new("gen_ai.token.type", "output")]);
        if (answer.Status is not (>= 200 and < 300))
            tags.Add("error.type", Error(answer));
        Duration.Record(duration.TotalSeconds, tags);
    }

    public static void Retry(Deployment deployment, string model) => Retried.Add(1, Tags(deployment, model));

    public static void Reask(Deployment deployment, string model) => Reasked.Add(1, Tags(deployment, model));

    public static void Throttle(Deployment deployment, string model) => Throttled.Add(1, Tags(deployment, model));

    private static string? Error(HttpAnswer answer) => answer.Status?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? answer.Failure?.GetType().FullName;

    private static TagList Tags(Deployment deployment, string model) => new()
    {
        { "gen_ai.provider.name", deployment.Provider.TelemetryName },
        { "gen_ai.request.model", model },
        { "server.address", deployment.Endpoint.Host },
        { "server.port", deployment.Endpoint.Port },
    };

    private static string Operation(string? path) => path switch
    {
        not null when path.EndsWith("/embeddings", StringComparison.Ordinal) => "embeddings",
        not null when path.EndsWith("/chat/completions", StringComparison.Ordinal) || path.EndsWith("/responses", StringComparison.Ordinal) => "chat",
        _ => "text_completion",
    };
}
