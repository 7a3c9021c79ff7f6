namespace LlmPipeline;

/// <summary>
/// Models that take a model's jobs while no deployment of its own can: all are closed, down, or told to wait for longer than
/// <see cref="LlmOptions.MaxInlineWait"/>.
/// </summary>
public sealed class FallbackOptions
{
    /// <summary>The model of the jobs; null or <c>*</c> for every model that no other entry names.</summary>
    public string? Model { get; set; }

    /// <summary>The models to fall back to, the first first.</summary>
    public IList<string> To { get; set; } = [];
}
