namespace LlmPipeline;

/// <summary>Whether a body with a 2xx status holds the answer that was asked for, and what it is where it does not.</summary>
internal sealed record CompletionVerdict
{
    /// <summary>An answer, a reason to try again, or one not to.</summary>
    public required OutcomeKind Kind { get; init; }

    public bool IsCompletion => Kind == OutcomeKind.Completion;

    /// <summary>What is special about a completion.</summary>
    public AnswerFlags Flags { get; init; }

    /// <summary>The error's code; null with a completion.</summary>
    public string? Code { get; init; }

    /// <summary>For people, one line, without words of the body; null with a completion.</summary>
    public string? Message { get; init; }

    /// <summary>
    /// The status that the error inside would have come with from most providers; null where there is no error, or one that no status is
    /// known of.
    /// </summary>
    public int? ErrorStatus { get; init; }

    /// <summary>The error inside, as the body of an answer of <see cref="ErrorStatus"/>.</summary>
    public ReadOnlyMemory<byte> ErrorBody { get; init; }

    public static CompletionVerdict Completion(AnswerFlags flags) => new() { Kind = OutcomeKind.Completion, Flags = flags };

    public static CompletionVerdict Transient(string message, string code = CompletionCheck.InvalidResponse) =>
        new() { Kind = OutcomeKind.Transient, Code = code, Message = message };

    public static CompletionVerdict Permanent(string code, string message) =>
        new() { Kind = OutcomeKind.Permanent, Code = code, Message = message };
}
