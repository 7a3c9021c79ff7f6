using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace LlmPipeline;

/// <summary>Registers the queue.</summary>
public static class PromptQueueServices
{
    /// <summary>Adds <see cref="PromptQueue"/> on the <see cref="RedisConnections"/> that are registered; options are validated when they are first used.</summary>
    public static IServiceCollection AddPromptQueue(this IServiceCollection services, Action<PromptQueueOptions>? configure = null)
    {
        var options = services.AddOptions<PromptQueueOptions>().ValidateDataAnnotations();
        if (configure is not null)
            options.Configure(configure);
        services.AddSingleton(s => new PromptQueue(
            s.GetRequiredService<RedisConnections>(), s.GetRequiredService<IOptions<PromptQueueOptions>>().Value, s.GetService<TimeProvider>() ?? TimeProvider.System));
        return services;
    }
}
