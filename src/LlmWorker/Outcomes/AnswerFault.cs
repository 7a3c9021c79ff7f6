namespace LlmPipeline;

/// <summary>Why a body that came with a 2xx status cannot be judged by what is in it alone.</summary>
internal enum AnswerFault
{
    /// <summary>It can.</summary>
    None,

    /// <summary>It is of a stream that ended before the answer did.</summary>
    Truncated,

    /// <summary>It is the data of the event by which a stream told an error.</summary>
    ErrorEvent,

    /// <summary>It has more bytes than <see cref="LlmOptions.MaxAnswerBytes"/>, and was not kept.</summary>
    TooLarge,
}
