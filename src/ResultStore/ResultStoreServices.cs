using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace LlmPipeline;

/// <summary>Registers the result store.</summary>
public static class ResultStoreServices
{
    /// <summary>Adds <see cref="ResultStore"/> on the <see cref="RedisConnections"/> that are registered; options are validated when they are first used.</summary>
    public static IServiceCollection AddResultStore(this IServiceCollection services, Action<ResultStoreOptions>? configure = null)
    {
        var options = services.AddOptions<ResultStoreOptions>().ValidateDataAnnotations();
        if (configure is not null)
            options.Configure(configure);
        services.AddSingleton(s => new ResultStore(
            s.GetRequiredService<RedisConnections>(), s.GetRequiredService<IOptions<ResultStoreOptions>>().Value, s.GetService<TimeProvider>() ?? TimeProvider.System));
        return services;
    }
}
