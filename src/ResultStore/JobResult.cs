namespace LlmPipeline;

/// <summary>How a job ended.</summary>
public enum ResultStatus
{
    /// <summary>With a completion.</summary>
    Completed,

    /// <summary>With an error that stays.</summary>
    Failed,

    /// <summary>Because somebody asked for it.</summary>
    Cancelled,

    /// <summary>Because its deadline passed.</summary>
    Expired,
}

/// <summary>The stored end of a job.</summary>
public sealed record JobResult
{
    /// <summary>The job.</summary>
    public required string JobId { get; init; }

    /// <summary>How it ended.</summary>
    public required ResultStatus Status { get; init; }

    /// <summary>The provider's body, byte for byte as received; empty when there was no HTTP answer.</summary>
    public ReadOnlyMemory<byte> Response { get; init; }

    /// <summary>What is known beside the body.</summary>
    public required ResultMeta Meta { get; init; }

    /// <summary>How long it is kept, 1 s at least; null for <see cref="ResultStoreOptions.Ttl"/>. Not read back.</summary>
    public TimeSpan? Life { get; init; }
}

/// <summary>What is known of a result beside the provider's body.</summary>
public sealed record ResultMeta
{
    /// <summary>The submitter's own name for the job.</summary>
    public string? CustomId { get; init; }

    /// <summary>
    /// The provider's id of the request (<c>x-request-id</c>): visible ASCII, at most 256 characters; any other character is a question
    /// mark.
    /// </summary>
    public string? RequestId { get; init => field = SafeText.HeaderValue(value); }

    /// <summary>The HTTP status of the last answer; null when there was none.</summary>
    public int? StatusCode { get; init; }

    /// <summary>Why it failed, when it did not end with an HTTP answer or beside it.</summary>
    public ResultError? Error { get; init; }

    /// <summary>The model that was asked for.</summary>
    public string? Model { get; init; }

    /// <summary>The deployment that answered.</summary>
    public string? Deployment { get; init; }

    /// <summary>Tokens of the prompt, as the provider counted them.</summary>
    public long InputTokens { get; init; }

    /// <summary>Of these, tokens that the provider had cached.</summary>
    public long CachedTokens { get; init; }

    /// <summary>Tokens of the completion, as the provider counted them.</summary>
    public long OutputTokens { get; init; }

    /// <summary>
    /// Whether the provider told no tokens of some call, and they are counted from request and answer, because a budget depends on them.
    /// </summary>
    public bool UsageEstimated { get; init; }

    /// <summary>What the calls of the claim that brought it have cost, in the price table's currency, to the billionth; null when no price is known.</summary>
    public decimal? Cost { get; init; }

    /// <summary>The job whose result this is a copy of, because its request was the same; null for a call's own.</summary>
    public string? CopyOf { get; init; }

    /// <summary>How often the LLM work was started.</summary>
    public int Attempts { get; init; }

    /// <summary>How often the model was asked again because its answer did not fit the schema of the prompt function, in the last claim; the tokens are those of all its calls.</summary>
    public int Reasks { get; init; }

    /// <summary>What is special about the completion; of an error nothing.</summary>
    public AnswerFlags Flags { get; init; }

    /// <summary>Whether the body is JSON for a tolerant reader only, see <see cref="AnswerFlags.Lenient"/>.</summary>
    public bool Lenient => Flags.HasFlag(AnswerFlags.Lenient);

    /// <summary>When the job was enqueued, Unix ms by the clock of Redis.</summary>
    public long Enqueued { get; init; }

    /// <summary>When the last call was started, Unix ms by the clock of its worker; 0 when none was.</summary>
    public long Started { get; init; }

    /// <summary>When the result was stored, Unix ms by the clock of its worker.</summary>
    public long Finished { get; init; }
}

/// <summary>Why a job failed.</summary>
/// <param name="Code">A code of the batch format, such as <c>batch_expired</c>, or of the provider: at most 64 letters, digits and <c>_ . :
/// -</c>.</param>
/// <param name="Message">For people, one line of at most <see cref="MaxMessage"/> characters.</param>
/// <remarks>Both may be a provider's own words, and become headers, log lines and lines of a terminal: whatever else they hold is replaced
/// here.</remarks>
public sealed record ResultError(string Code, string Message)
{
    /// <summary>The longest <see cref="Message"/>.</summary>
    public const int MaxMessage = 4000;

    /// <summary>The answer does not fit the prompt function's schema. What the model said last is in <see cref="JobResult.Response"/>, what is wrong in the message.</summary>
    public const string SchemaMismatch = "schema_mismatch";

    /// <summary>There was an answer, and Redis refuses to store it. It is not kept; its cost and tokens are.</summary>
    public const string AnswerNotStorable = "answer_not_storable";

    /// <summary>The model refused to answer where a schema was asked for; its refusal is in <see cref="JobResult.Response"/>.</summary>
    public const string Refusal = "refusal";

    /// <summary>For programs.</summary>
    public string Code { get; init => field = SafeText.ErrorCode(value); } = SafeText.ErrorCode(Code);

    /// <summary>For people.</summary>
    public string Message { get; init => field = SafeText.Line(value, MaxMessage); } = SafeText.Line(Message, MaxMessage);
}
