using Microsoft.Extensions.Logging;

namespace LlmPipeline;

/// <summary>How an <see cref="EmbeddedRedis"/> is started.</summary>
public sealed class EmbeddedRedisOptions
{
    /// <summary>The TCP port on 127.0.0.1, 1 to 65535; 0, the default, takes a free one.</summary>
    public int Port { get; set; }

    /// <summary>Where the store's own log goes; by default nowhere. Nothing is ever written to the console.</summary>
    public ILogger? Logger { get; set; }
}
