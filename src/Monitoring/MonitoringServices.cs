using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace LlmPipeline;

/// <summary>Gives metrics and traces of LlmPipeline to whoever collects them.</summary>
public static class MonitoringServices
{
    /// <summary>The meters and activity sources of LlmPipeline: all names that begin so.</summary>
    public const string Names = "LlmPipeline.*";

    private const string CollectorVariable = "OTEL_EXPORTER_OTLP_ENDPOINT";

    /// <summary>Whether the environment names a collector: <c>OTEL_EXPORTER_OTLP_ENDPOINT</c>, as all of OpenTelemetry's SDKs read it.</summary>
    public static bool HasCollector => !string.IsNullOrEmpty(Environment.GetEnvironmentVariable(CollectorVariable));

    /// <summary>
    /// Adds metrics for Prometheus, and, where the environment names a collector, metrics and traces for that; the variables of OpenTelemetry's
    /// specification (<c>OTEL_SERVICE_NAME</c>, <c>OTEL_TRACES_SAMPLER</c> …) apply.
    /// </summary>
    /// <param name="services">Where to.</param>
    /// <param name="role">What the process is: <c>work</c> or <c>serve</c>.</param>
    public static IServiceCollection AddMonitoring(this IServiceCollection services, string role)
    {
        var telemetry = services.AddOpenTelemetry()
            .ConfigureResource(resource => resource.AddService($"llmpipe-{role}", serviceVersion: typeof(MonitoringServices).Assembly.GetName().Version?.ToString(3)).AddEnvironmentVariableDetector())
            .WithMetrics(metrics => metrics.AddMeter(Names, "System.Runtime", "Microsoft.AspNetCore.Hosting", "Microsoft.AspNetCore.Server.Kestrel").AddPrometheusExporter());
        if (HasCollector)
            telemetry.WithMetrics(metrics => metrics.AddOtlpExporter()).WithTracing(traces => traces.AddSource(Names).AddOtlpExporter());
        return services;
    }

    /// <summary>Serves <c>/metrics</c> in Prometheus' text format.</summary>
    public static void UseMetrics(this WebApplication app) => app.UseOpenTelemetryPrometheusScrapingEndpoint("/metrics");
}
