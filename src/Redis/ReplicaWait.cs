namespace LlmPipeline;

/// <summary>When a write counts: not when its server has it, but when replicas have it too.</summary>
/// <param name="Replicas">How many; 0 for none.</param>
/// <param name="Timeout">How long they may take.</param>
public readonly record struct ReplicaWait(int Replicas, TimeSpan Timeout);
