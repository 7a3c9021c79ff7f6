namespace LlmPipeline;

/// <summary>What a submitter does with rows that a queue has no room for (<see cref="PromptQueueOptions.MaxWaiting"/>).</summary>
public enum WhenFull
{
    /// <summary>It tries again until there is room.</summary>
    Wait,

    /// <summary>It ends with a <see cref="BatchFullException"/>.</summary>
    Throw,
}
