namespace LlmPipeline;

/// <summary>How the time of one call lies around the mean.</summary>
public enum LatencyShape
{
    /// <summary>Always the mean.</summary>
    Constant,

    /// <summary>Anything from half to one and a half of the mean, each as likely.</summary>
    Uniform,

    /// <summary>Many somewhat faster than the mean, few much slower: what providers show.</summary>
    Lognormal,
}
