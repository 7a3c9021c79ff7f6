namespace LlmPipeline;

/// <summary>What the configured limits of a deployment bound.</summary>
public enum LimitScope
{
    /// <summary>The deployment: all of its models together.</summary>
    Deployment,

    /// <summary>Each model by itself, as providers count that give every model a quota of its own.</summary>
    Model,
}
