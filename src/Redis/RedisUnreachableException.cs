namespace LlmPipeline;

/// <summary>A Redis could not be reached at the start.</summary>
public sealed class RedisUnreachableException(string name, string reason, Exception inner)
    : Exception($"Redis at {name} cannot be reached: {reason}", inner)
{
    /// <summary>The end points that were tried.</summary>
    public string Name { get; } = name;

    /// <summary>Why, in a few words.</summary>
    public string Reason { get; } = reason;
}
