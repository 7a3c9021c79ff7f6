namespace LlmPipeline;

/// <summary>Judges completions that are stored already.</summary>
public static class StoredAnswer
{
    /// <summary>
    /// Why a body that is stored as a completion holds no answer; null when it holds one. Told in one line, without words of the body.
    /// What was asked for is taken
    /// from the body's own shape.
    /// </summary>
    /// <param name="body">The body as stored.</param>
    public static string? Fault(ReadOnlyMemory<byte> body)
    {
        var verdict = CompletionCheck.Of(null, body);
        if (!verdict.IsCompletion)
            return verdict.ErrorStatus is { } status ? $"the answer is an error, as of HTTP {status} ({verdict.Code})" : verdict.Message;
        return AnswerShape.Read(LenientJson.ToDecodable(body, out _)!.Value.Span).Choices is { IsUnfinished: true }
            ? "finish_reason is null: the answer is of a stream that was cut off"
            : null;
    }
}
