using System.Net;
using Microsoft.SemanticKernel;

namespace LlmPipeline;

/// <summary>One row of the outcome table, found.</summary>
/// <param name="Kind">What the answer is.</param>
/// <param name="Code">The error's code; null with a completion.</param>
/// <param name="Message">For people, one line, without prompt text; null with a completion.</param>
/// <param name="NotBefore">The provider's own word on when to come again; null for none.</param>
/// <param name="IsDown">Whether nobody was there to take the call: it has cost nothing.</param>
/// <param name="Limit">Which limit of the provider refused the call, for people: <c>tokens per day</c>; null when that is not
/// known.</param>
internal readonly record struct Classified(
    OutcomeKind Kind, string? Code = null, string? Message = null, TimeSpan? NotBefore = null, bool IsDown = false, string? Limit = null)
{
    /// <summary>With a wait of at most <paramref name="longest"/>, <see cref="LlmOptions.MaxRetryAfter"/>.</summary>
    public Classified Bounded(TimeSpan longest) => NotBefore > longest ? this with { NotBefore = longest } : this;

    /// <summary>
    /// The provider's own sentence, which may quote a prompt and belongs in no log; null where <see cref="Message"/> holds it or there is
    /// none.
    /// </summary>
    public string? Sentence { get; init; }

    /// <summary>
    /// The status that counts: of an error inside a 2xx, the one that it would have come with; null for that of the answer.
    /// </summary>
    public int? Status { get; init; }

    /// <summary>Attempts that it is worth at most; null for as many as any.</summary>
    public int? MaxAttempts { get; init; }

    /// <summary>What is special about a completion.</summary>
    public AnswerFlags Flags { get; init; }
}

/// <summary>The outcome table.</summary>
internal static class Outcomes
{
    private const int LongestMessage = 300;

    // Too large for a limit is too large the next time, unless the limit is raised.
    private const int OversizedAttempts = 3;

    /// <summary>What an answer means.</summary>
    /// <param name="answer">The answer.</param>
    /// <param name="dialects">How servers differ; null for the table that is shipped.</param>
    public static Classified Classify(HttpAnswer answer, DialectTable? dialects = null) =>
        answer.Status is { } status
            ? OfStatus(answer, status, dialects ?? DialectTable.Default)
            : ConnectionFailures.Classify(answer.Failure);

    /// <summary>Of a try that came to no HTTP call at all.</summary>
    public static Classified Unsent(Exception? failure) => failure switch
    {
        ObjectDisposedException or OperationCanceledException => new Classified(OutcomeKind.Transient, "connection_error", "the worker is being shut down"),
        // The message may quote the prompt, so the kind of fault has to do.
        ArgumentException or InvalidOperationException or NotSupportedException or FormatException or System.Text.Json.JsonException or KernelException =>
            new Classified(OutcomeKind.Permanent, "invalid_request", $"the request could not be made of the job ({failure.GetType().Name})"),
        _ => ConnectionFailures.Classify(failure),
    };

    private static Classified OfStatus(HttpAnswer answer, int status, DialectTable dialects)
    {
        if (status is >= 200 and < 300)
        {
            var check = answer.Check ?? CompletionCheck.Of(null, answer.Body);
            if (check.ErrorStatus is not { } told)
                return new Classified(check.Kind, check.Code, check.Message) { Flags = check.Flags };
            var inner = OfStatus(answer with { Body = check.ErrorBody }, told, dialects);
            return inner with { Status = told, Message = $"an error in an answer of HTTP {status}: {inner.Message}" };
        }

        var error = ProviderError.Read(answer.Body);
        var code = SafeText.ErrorCode(error.Code ?? error.Type ?? $"http_{status}");
        var name = Enum.IsDefined((HttpStatusCode)status) ? $"HTTP {status} {(HttpStatusCode)status}" : $"HTTP {status}";
        var wait = answer.Limits.RetryAfter;
        var notice = status is 402 or 429 or 503 ? ThrottleNotice.Of(answer) : ThrottleNotice.None;
        if (dialects.Find(status, error.Code, error.Type, error.Message) is { } dialect && OfDialect(dialect.Outcome) is { } known)
            return known;
        if (status == 429 && OversizedRequest.IsReported(error.Code, error.Type, error.Message))
            return Fault(OutcomeKind.Transient) with { NotBefore = wait, MaxAttempts = OversizedAttempts };
        if (status is >= 400 and < 500 and not 401 and not 408 and not 429)
        {
            if (error.HasRowCode)
                return new Classified(OutcomeKind.Permanent, code, error.IsContentFilter ? $"{name}: refused by the provider's content filter" : name);
        }

        // A key that may not use a model is 401 at LiteLLM, a model that no channel has 503 at New API.
        if (status >= 400 && status is not (408 or 429) && error.IsUnknownModel(status))
            return Fault(OutcomeKind.ModelFault);

        if (status is >= 400 and < 500 and not 408 && (error.IsAccount(status) || SpentAccount.IsReported(status, error.Code, error.Type, error.Message, notice)))
            return Fault(OutcomeKind.AccountFault);
        // MiniMax sends "insufficient balance (1008)" as 500: https://github.com/MiniMax-AI/MiniMax-M2/issues/62
        if (status == 500 && error.Message is { } sentence && ErrorWords.SayAccount(sentence))
            return Fault(OutcomeKind.AccountFault);
        if (status is >= 400 and < 500 and not (401 or 402 or 407 or 408 or 413 or 429) && error.PassingStatus(status) is { } passing
            && !error.IsRowFault && !OversizedRequest.IsReported(error.Code, error.Type, error.Message))
        {
            if (passing != 429)
                return new Classified(OutcomeKind.Transient, code, name, wait);
            var told = ThrottleNotice.Of(answer);
            return Fault(OutcomeKind.Later) with { NotBefore = told.Wait, Limit = told.Limit };
        }

        return status switch
        {
            401 or 402 or 407 => Fault(OutcomeKind.AccountFault),
            403 when error.IsRowFault => new Classified(OutcomeKind.Permanent, code, name),
            403 => Fault(OutcomeKind.Refused),
            429 => RateLimit(),
            503 when notice.Wait is not null => new Classified(OutcomeKind.Later, code, name, notice.Wait, Limit: notice.Limit),
            // 424, 498 and 499: TGI's failed generation, Groq's flex capacity, a call that a proxy cancelled. A 400 without a word is none
            // of the row's.
            408 or 409 or 424 or 425 or 498 or 499 or >= 500 =>
                new Classified(OutcomeKind.Transient, code, name, wait, IsDown: status is 502 or 503),
            400 when answer.Body.IsEmpty => new Classified(OutcomeKind.Transient, code, name, wait),
            // Not followed: it would turn a POST into a GET, or carry the key to another host.
            >= 300 and < 400 => new Classified(
                OutcomeKind.Refused, code,
                $"{name} to {answer.Location?.GetLeftPart(UriPartial.Path) ?? "nowhere"}: set the endpoint's own URL"),
            413 => new Classified(OutcomeKind.Permanent, code, name),
            404 when error is { Code: null, Type: null } => new Classified(
                OutcomeKind.Unexplained, code, $"{name}: the endpoint does not know this path; an OpenAI-compatible base URL ends in /v1"),
            _ when error.IsRowFault => new Classified(OutcomeKind.Permanent, code, name),
            _ => new Classified(OutcomeKind.Unexplained, code, name) { Sentence = Fault(OutcomeKind.Unexplained).Message },
        };

        Classified? OfDialect(DialectOutcome outcome) => outcome switch
        {
            DialectOutcome.Row => new Classified(OutcomeKind.Permanent, code, name),
            DialectOutcome.RequestTooLarge when status == 429 =>
                Fault(OutcomeKind.Transient) with { NotBefore = wait, MaxAttempts = OversizedAttempts },
            DialectOutcome.RequestTooLarge => new Classified(OutcomeKind.Permanent, code, name),
            DialectOutcome.Model => Fault(OutcomeKind.ModelFault),
            DialectOutcome.Account => Fault(OutcomeKind.AccountFault),
            DialectOutcome.Transient when status != 503 => new Classified(OutcomeKind.Transient, code, name, wait),
            // Of a rate limit that has the words of an empty account.
            DialectOutcome.Later when status == 429 => RateLimit(),
            // The general rules know what follows.
            _ => null,
        };

        Classified RateLimit() => new(
            OutcomeKind.Later, code, error.Message is null ? name : $"{name}: {notice.Limit ?? SafeText.Line(error.Message, LongestMessage)}", notice.Wait, Limit: notice.Limit);

        Classified Fault(OutcomeKind kind) => new(kind, code, error.Message is null ? name : $"{name}: {SafeText.Line(error.Message, LongestMessage)}");
    }
}
