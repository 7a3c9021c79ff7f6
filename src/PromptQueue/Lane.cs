namespace LlmPipeline;

/// <summary>How soon a job is claimed beside others of its queue. Lower lanes still get their share.</summary>
public enum Lane
{
    /// <summary>Interactive work.</summary>
    High,

    /// <summary>The default.</summary>
    Normal,

    /// <summary>Work that may wait.</summary>
    Low,
}
