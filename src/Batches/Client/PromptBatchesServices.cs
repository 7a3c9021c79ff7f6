using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace LlmPipeline;

/// <summary>Registers the batches.</summary>
public static class PromptBatchesServices
{
    /// <summary>Adds <see cref="PromptBatches"/>, and the queue and the results that it needs, unless they are added already.</summary>
    /// <param name="services">Where to.</param>
    /// <param name="redis">The Redis: <c>HOST:PORT</c>, <c>redis://…</c> or a StackExchange.Redis configuration string.</param>
    /// <exception cref="FormatException"><paramref name="redis"/> names no Redis.</exception>
    public static IServiceCollection AddPromptBatches(this IServiceCollection services, string redis)
    {
        if (!services.Any(service => service.ServiceType == typeof(PromptQueue)))
            services.AddPromptQueue(redis);
        if (!services.Any(service => service.ServiceType == typeof(ResultStore)))
            services.AddResultStore(redis);
        return services.AddSingleton(s => new PromptBatches(
            s.GetRequiredService<PromptQueue>(), s.GetRequiredService<ResultStore>(), s.GetService<TimeProvider>() ?? TimeProvider.System,
            s.GetService<ILogger<PromptBatches>>()));
    }
}
