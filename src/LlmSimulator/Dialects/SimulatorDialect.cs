namespace LlmPipeline;

/// <summary>A dialect that the simulator plays: a row of the dialect table, or all rows of a provider.</summary>
/// <param name="Name">
/// The name of a row, <c>openrouter-moderation-403</c>, or of a provider, <c>openrouter</c>, of whose rows each is as likely as the others.
/// </param>
/// <param name="Share">
/// The share of calls that meet it, above 0 and up to 1; the rest is answered as usual. Null where no dialect has a share: then each is as
/// likely as the others, and no call is left over.
/// </param>
public sealed record SimulatorDialect(string Name, double? Share = null);
