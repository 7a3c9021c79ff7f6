namespace LlmPipeline;

/// <summary>What the choice of a dialect looks at in a call.</summary>
/// <param name="Kind">The route.</param>
/// <param name="Streamed">Whether the answer is wanted as a stream.</param>
/// <param name="HasKey">Whether it brings the simulator's key; false where the simulator accepts any.</param>
/// <param name="HasModel">Whether its model is one of those that are served; false where every name is.</param>
/// <param name="Prompt">A hash of the prompt, the same for each attempt of a row.</param>
/// <param name="Body">The body.</param>
internal sealed record PlayedCall(CallKind Kind, bool Streamed, bool HasKey, bool HasModel, ulong Prompt, ReadOnlyMemory<byte> Body);
