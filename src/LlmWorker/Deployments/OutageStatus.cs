namespace LlmPipeline;

/// <summary>A part of a deployment that is unavailable; a part that is null covers all.</summary>
/// <param name="Model">The model.</param>
/// <param name="Path">The path of the API.</param>
/// <param name="Flow">The batch.</param>
/// <param name="Code">The code of the error that closed it.</param>
/// <param name="Reason">The provider's sentence.</param>
/// <param name="Since">When it was closed.</param>
/// <param name="NextProbe">When it is probed again.</param>
public sealed record OutageStatus(
    string? Model, string? Path, string? Flow, string Code, string Reason, DateTimeOffset Since, DateTimeOffset NextProbe);
