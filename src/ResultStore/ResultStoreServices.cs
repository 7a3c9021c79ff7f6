using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace LlmPipeline;

/// <summary>Registers the result store.</summary>
public static class ResultStoreServices
{
    /// <summary>Adds <see cref="ResultStore"/>; options are validated when it is first used.</summary>
    /// <param name="services">Where to.</param>
    /// <param name="redis">The Redis, which may be another than the queue's: <c>HOST:PORT</c>, <c>redis://…</c> or a StackExchange.Redis configuration string.</param>
    /// <param name="configure">Changes the options.</param>
    /// <exception cref="FormatException"><paramref name="redis"/> names no Redis.</exception>
    public static IServiceCollection AddResultStore(this IServiceCollection services, string redis, Action<ResultStoreOptions>? configure = null)
    {
        services.AddRedisConnections(redis);
        var options = services.AddOptions<ResultStoreOptions>().ValidateDataAnnotations();
        if (configure is not null)
            options.Configure(configure);
        services.AddSingleton(s => new ResultStore(
            s.GetRequiredKeyedService<RedisConnections>(redis), s.GetRequiredService<IOptions<ResultStoreOptions>>().Value, s.GetService<TimeProvider>() ?? TimeProvider.System));
        return services;
    }
}
