namespace LlmPipeline;

/// <summary>
/// What a completion is: a whole body that holds an answer of the kind that was asked for. Providers and gateways send errors with status
/// 200 too
/// (<see href="https://openrouter.ai/docs/api-reference/errors"/>), bodies without a choice, and responses that are still being made.
/// </summary>
internal static class CompletionCheck
{
    /// <summary>The code of a body in which there is no answer, and no error either that has a code.</summary>
    public const string InvalidResponse = "invalid_response";

    /// <summary>The code of a stream that ended before the answer did.</summary>
    public const string IncompleteStream = "incomplete_stream";

    /// <summary>The code of an answer of more than <see cref="LlmOptions.MaxAnswerBytes"/>.</summary>
    public const string TooLarge = "answer_too_large";

    /// <summary>The code of a response that the provider goes on making after it has answered.</summary>
    public const string Background = "background_response";

    /// <summary>Judges a body.</summary>
    /// <param name="path">The job's path, such as <c>/v1/embeddings</c>; null when that is not known: the body's own shape then says what
    /// it should be.</param>
    /// <param name="body">The body as received, with a 2xx status.</param>
    /// <param name="inputs">How many inputs the embeddings are of; 0 when that is not known.</param>
    /// <param name="fault">What is known of the body beside its bytes.</param>
    public static CompletionVerdict Of(string? path, ReadOnlyMemory<byte> body, int inputs = 0, AnswerFault fault = AnswerFault.None)
    {
        if (fault == AnswerFault.TooLarge)
            return CompletionVerdict.Permanent(TooLarge, "the answer is larger than the setting MaxAnswerBytes allows");
        if (LenientJson.ToDecodable(body, out var isLenient) is not { } json)
            return fault == AnswerFault.None ? NoJson(body.Span) : Broken(fault);
        var shape = AnswerShape.Read(json.Span);
        if ((ErrorIn(json, shape) ?? (fault == AnswerFault.ErrorEvent ? InnerError.OfBody(json) : null)) is { } error)
            return error.ToVerdict();
        // What the stream ended with may tell why.
        if (fault != AnswerFault.None)
            return InnerError.Find(json)?.ToVerdict() ?? Broken(fault);
        var verdict = shape.IsObject
            ? OfShape(KindOf(path, shape), shape, inputs)
            : CompletionVerdict.Transient("the answer is not a JSON object");
        if (verdict.IsCompletion)
            return isLenient ? verdict with { Flags = verdict.Flags | AnswerFlags.Lenient } : verdict;
        // A body without an answer may still tell why.
        return verdict.Kind != OutcomeKind.Transient ? verdict
            : shape.LooksLikeAnError || shape.IsMessageAlone ? InnerError.OfBody(json).ToVerdict()
            : InnerError.Find(json)?.ToVerdict() ?? verdict;
    }

    private static CompletionVerdict NoJson(ReadOnlySpan<byte> body) => CompletionVerdict.Transient(
        body.Trim(" \t\r\n\0"u8).IsEmpty ? "the answer is empty" : "the answer is not JSON, or not whole");

    private static CompletionVerdict Broken(AnswerFault fault) => fault == AnswerFault.ErrorEvent
        ? CompletionVerdict.Transient("the stream ended with an error", "stream_error")
        : CompletionVerdict.Transient("the stream ended before the answer did", IncompleteStream);

    private static InnerError? ErrorIn(ReadOnlyMemory<byte> json, AnswerShape shape) =>
        // A mere "true" has the rest beside it.
        shape.Error is { } error ? json.Span[error.Start] == (byte)'t' ? InnerError.OfBody(json) : InnerError.OfValue(json[error])
        : shape.Choices?.Error is { } choice ? InnerError.OfValue(json[choice])
        : shape.Object == "error" || shape.Type == "error" ? InnerError.OfBody(json)
        : null;

    private static string? KindOf(string? path, AnswerShape shape) => path
        ?? (shape.HasChoices && (shape.Object == "text_completion" || shape.Choices is { Messages: 0, Texts: > 0 }) ? "/v1/completions"
        : shape.HasChoices ? "/v1/chat/completions"
        : shape.HasOutput || shape.Object == "response" ? "/v1/responses"
        : shape.Data is { Embeddings: > 0 } or { Count: 0 } ? "/v1/embeddings"
        : null);

    private static CompletionVerdict OfShape(string? path, AnswerShape shape, int inputs) => path switch
    {
        "/v1/chat/completions" => OfChoices(shape.Choices, shape.Choices?.Messages ?? 0, "message"),
        "/v1/completions" => OfChoices(shape.Choices, shape.Choices?.Texts ?? 0, "text"),
        "/v1/embeddings" => OfVectors(shape.Data, inputs),
        "/v1/responses" => OfResponse(shape),
        // Of any other path it is known only that errors say so.
        _ => (shape.LooksLikeAnError || shape.IsMessageAlone) && shape is { HasChoices: false, HasOutput: false, Data: null }
            ? CompletionVerdict.Transient("the answer is an error") : CompletionVerdict.Completion(AnswerFlags.None),
    };

    private static CompletionVerdict OfChoices(ChoiceShape? choices, int answers, string name)
    {
        if (choices is null or { Count: 0 })
            return CompletionVerdict.Transient("the answer has no choices");
        if (choices.FailedWith is { } reason)
            return CompletionVerdict.Transient(
                $"the provider failed in the midst of the answer (finish_reason {SafeText.ErrorCode(reason)})", "provider_error");
        if (answers < choices.Count)
            return CompletionVerdict.Transient($"a choice of the answer has no {name}");
        return CompletionVerdict.Completion(
            (choices.IsCutOff ? AnswerFlags.CutOff : 0)
            | (choices.Spoken == 0 ? AnswerFlags.Empty : 0)
            | (choices.IsRefused ? AnswerFlags.Refused : 0));
    }

    private static CompletionVerdict OfVectors(VectorShape? data, int inputs) => data switch
    {
        null or { Count: 0 } => CompletionVerdict.Transient("the answer has no embeddings"),
        _ when data.Vectors < data.Count => CompletionVerdict.Transient("an item of the answer has no embedding"),
        _ when data.Count < inputs => CompletionVerdict.Transient($"the answer has {data.Count} embeddings for {inputs} inputs"),
        _ => CompletionVerdict.Completion(AnswerFlags.None),
    };

    private static CompletionVerdict OfResponse(AnswerShape shape) => shape.Status switch
    {
        "queued" or "in_progress" => CompletionVerdict.Permanent(
            Background,
            $"the provider goes on making the response (status {shape.Status}), which is not waited for: leave \"background\" out"),
        "failed" => CompletionVerdict.Transient("the response has failed, without a reason", "response_failed"),
        "cancelled" => CompletionVerdict.Transient("the response was cancelled at the provider", "response_cancelled"),
        "incomplete" => OfOutput(shape),
        // Names beside the documented ones: expired, error, timed_out …
        { Length: > 0 } status when FinishReason.IsFailure(status) || (status != "completed" && shape.Output is not { IsSpoken: true }) =>
            CompletionVerdict.Transient(
                $"the response has ended without an answer (status {SafeText.ErrorCode(status)})", "response_failed"),
        // An answer that is cut off may have got no further than to begin.
        _ when shape.Output is null or { Count: 0 } => CompletionVerdict.Transient("the response has no output"),
        _ => OfOutput(shape),
    };

    private static CompletionVerdict OfOutput(AnswerShape shape)
    {
        var isFiltered = shape.IncompleteReason == "content_filter";
        return CompletionVerdict.Completion(
            (shape.Status == "incomplete" && !isFiltered ? AnswerFlags.CutOff : 0)
            | (shape.Output is { IsSpoken: true } ? 0 : AnswerFlags.Empty)
            | (isFiltered || shape.Output is { IsRefused: true } ? AnswerFlags.Refused : 0));
    }
}
