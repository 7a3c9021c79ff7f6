using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;

namespace LlmPipeline;

/// <summary>Registers the connections to a Redis.</summary>
public static class RedisServices
{
    /// <summary>
    /// Adds <see cref="RedisConnections"/> under a key, once for each Redis; they connect when they are first used, which is a
    /// <see cref="RedisUnreachableException"/> when nothing answers.
    /// </summary>
    /// <param name="services">Where to.</param>
    /// <param name="address">The Redis, as <see cref="RedisAddress.Parse"/> reads it; also the key.</param>
    /// <exception cref="FormatException">The address names no Redis.</exception>
    public static IServiceCollection AddRedisConnections(this IServiceCollection services, string address)
    {
        RedisAddress.Parse(address);
        services.TryAddKeyedSingleton(address, (s, _) => RedisConnections.Connect(
            RedisAddress.Parse(address), s.GetService<TimeProvider>() ?? TimeProvider.System, s.GetService<ILogger<RedisConnections>>()));
        return services;
    }
}
