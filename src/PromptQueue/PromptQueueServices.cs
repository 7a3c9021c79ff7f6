using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace LlmPipeline;

/// <summary>Registers the queue.</summary>
public static class PromptQueueServices
{
    /// <summary>Adds <see cref="PromptQueue"/>; options are validated when it is first used.</summary>
    /// <param name="services">Where to.</param>
    /// <param name="redis">The Redis: <c>HOST:PORT</c>, <c>redis://…</c> or a StackExchange.Redis configuration string.</param>
    /// <param name="configure">Changes the options.</param>
    /// <exception cref="FormatException"><paramref name="redis"/> names no Redis.</exception>
    public static IServiceCollection AddPromptQueue(this IServiceCollection services, string redis, Action<PromptQueueOptions>? configure = null)
    {
        services.AddRedisConnections(redis);
        var options = services.AddOptions<PromptQueueOptions>().ValidateDataAnnotations();
        if (configure is not null)
            options.Configure(configure);
        services.AddSingleton(s => new PromptQueue(
            s.GetRequiredKeyedService<RedisConnections>(redis), s.GetRequiredService<IOptions<PromptQueueOptions>>().Value, s.GetService<TimeProvider>() ?? TimeProvider.System));
        return services;
    }
}
