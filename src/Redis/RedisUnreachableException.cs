namespace LlmPipeline;

/// <summary>A Redis could not be reached, or is not what its address says.</summary>
public sealed class RedisUnreachableException(string name, string reason, Exception? inner, bool isSetting = false)
    : Exception(isSetting ? $"Redis at {name}: {reason}" : $"Redis at {name} cannot be reached: {reason}", inner)
{
    /// <summary>The end points that were tried.</summary>
    public string Name { get; } = name;

    /// <summary>Why, in a few words.</summary>
    public string Reason { get; } = reason;

    /// <summary>Whether the address is at fault, so that trying again is of no use.</summary>
    public bool IsSetting { get; } = isSetting;
}
