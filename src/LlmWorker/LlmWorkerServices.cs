using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Microsoft.SemanticKernel;

namespace LlmPipeline;

/// <summary>Registers a worker.</summary>
public static class LlmWorkerServices
{
    /// <summary>
    /// Adds a <see cref="WorkerProcess"/> that runs with the host: it serves every queue that a deployment serves, and stops with the host. The queue and the
    /// results are those of <c>AddPromptQueue</c> and <c>AddResultStore</c>. The plugins of the kernel, <c>services.AddKernel().Plugins.AddFromType&lt;T&gt;("name")</c>,
    /// are the tools that prompt functions may ask for.
    /// </summary>
    /// <param name="services">Where to.</param>
    /// <param name="redis">The Redis of the queue, written as for <c>AddPromptQueue</c>; its workers share the quota of each deployment.</param>
    /// <param name="llm">Sets the deployments; what cannot work is a <see cref="LlmSettingsException"/> when the host starts.</param>
    /// <param name="worker">Changes how it works.</param>
    /// <remarks>A host starts while its Redis is away; the worker begins when it answers.</remarks>
    /// <exception cref="FormatException"><paramref name="redis"/> names no Redis.</exception>
    public static IServiceCollection AddLlmWorker(this IServiceCollection services, string redis, Action<LlmOptions> llm, Action<WorkerOptions>? worker = null)
    {
        services.AddRedisConnections(redis);
        services.AddOptions<LlmOptions>().Configure(llm);
        var options = services.AddOptions<WorkerOptions>().ValidateDataAnnotations();
        if (worker is not null)
            options.Configure(worker);
        services.AddSingleton<PromptFunctionSource>();
        services.AddSingleton(s => new LlmCaller(
            // Found with the first call that needs one: it connects.
            s.GetRequiredService<IOptions<LlmOptions>>().Value, (sha, token) => s.GetRequiredService<PromptFunctionSource>().FindAsync(sha, token), Time(s), Loggers(s),
            s.GetService<Kernel>() ?? new Kernel(s), () => s.GetRequiredKeyedService<RedisConnections>(redis)));
        services.TryAddSingleton<ILlmCaller>(s => s.GetRequiredService<LlmCaller>());
        services.AddSingleton(s => new WorkerProcess(
            s.GetRequiredKeyedService<RedisConnections>(redis), s.GetRequiredService<PromptQueue>(), s.GetRequiredService<ResultStore>(), s.GetRequiredService<ILlmCaller>(),
            s.GetRequiredService<IOptions<WorkerOptions>>().Value, Time(s), Loggers(s)));
        return services.AddHostedService(s =>
        {
            // What cannot work ends the start; a Redis that is away does not.
            _ = s.GetRequiredService<ILlmCaller>();
            return new WorkerService(s.GetRequiredService<WorkerProcess>, () => DeploymentReporter.Start(
                new DeploymentReports(s.GetRequiredKeyedService<RedisConnections>(redis), s.GetRequiredService<PromptQueue>().Options.KeyPrefix, Time(s)), s.GetRequiredService<LlmCaller>(),
                s.GetRequiredService<IOptions<WorkerOptions>>().Value.Name, Time(s), Loggers(s).CreateLogger<DeploymentReporter>(),
                () => s.GetRequiredService<WorkerProcess>().Counts), Time(s), Loggers(s).CreateLogger<WorkerService>());
        });
    }

    private static TimeProvider Time(IServiceProvider services) => services.GetService<TimeProvider>() ?? TimeProvider.System;

    private static ILoggerFactory Loggers(IServiceProvider services) => services.GetService<ILoggerFactory>() ?? NullLoggerFactory.Instance;
}
