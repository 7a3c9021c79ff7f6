namespace LlmPipeline;

/// <summary>Tests that depend on how soon a worker does something: they run one after the other, when all others have ended.</summary>
[CollectionDefinition(nameof(Alone), DisableParallelization = true)]
public sealed class Alone;
