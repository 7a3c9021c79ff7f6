namespace LlmPipeline;

/// <summary>Why no deployment can serve a model.</summary>
/// <param name="Reason">The providers' sentences.</param>
/// <param name="IsConfirmed">Whether a probe has confirmed each of them.</param>
/// <param name="IsOfBatch">Whether it concerns a batch, whose first rows failed alike, and not the model as such.</param>
public sealed record Blockage(string Reason, bool IsConfirmed, bool IsOfBatch = false);
