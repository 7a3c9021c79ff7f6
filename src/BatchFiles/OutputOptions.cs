namespace LlmPipeline;

/// <summary>How an output that already holds something is treated.</summary>
public sealed class OutputOptions
{
    /// <summary>Take the output over, whatever it holds. Answers of the same batch are still continued, unless <see cref="Again"/> is set. No by default.</summary>
    public bool Force { get; init; }

    /// <summary>A deliberate re-run: answers of the same family are not a checkpoint. Finished ones stay in place until the new ones replace them at the end. No by default.</summary>
    public bool Again { get; init; }

    /// <summary>Rows that failed in an earlier run count as missing. No by default.</summary>
    public bool RetryFailed { get; init; }

    /// <summary>A simulator's answers count as missing, so that real ones take their place. No by default.</summary>
    public bool ReplaceSimulated { get; init; }

    /// <summary>
    /// Asked of the body of each completion of an earlier run whether it holds an answer; a row whose body does not counts as missing, as
    /// do failed ones. Only with <see cref="RetryFailed"/>; null, the default, for not looking.
    /// </summary>
    public Func<ReadOnlyMemory<byte>, bool>? HoldsAnswer { get; init; }
}
