namespace LlmPipeline;

/// <summary>How long the calls of a process are repeated while Redis does not answer them.</summary>
public enum RedisPatience
{
    /// <summary>
    /// Up to 3 repeats within about 10 s, and only where no answer came: for a process that can say "not now" to its own callers. The
    /// default.
    /// </summary>
    Bounded,

    /// <summary>
    /// Until Redis answers: for a process that has nothing else to do.
    /// </summary>
    UntilAnswered,

    /// <summary>The same, but a Redis without memory is an error: for who only adds to it.</summary>
    UntilAnsweredOrFull,

    /// <summary>Not at all: for a caller with a loop of its own, which must know of each failure.</summary>
    Once,
}
