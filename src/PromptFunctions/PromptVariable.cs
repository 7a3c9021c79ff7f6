namespace LlmPipeline;

/// <summary>A variable of a prompt function.</summary>
/// <param name="Name">As the template writes it, without the <c>$</c>.</param>
/// <param name="Description">For people; null when config.json says nothing.</param>
/// <param name="IsRequired">Whether a call without it is an error: it has no default, and config.json does not call it optional.</param>
/// <param name="Default">What is rendered when a call leaves it out; null for none.</param>
public sealed record PromptVariable(string Name, string? Description, bool IsRequired, string? Default);
