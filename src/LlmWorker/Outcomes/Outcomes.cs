using System.Net;
using System.Security.Authentication;
using Azure.Identity;
using Microsoft.SemanticKernel;
using Polly.Timeout;

namespace LlmPipeline;

/// <summary>One row of the outcome table, found.</summary>
/// <param name="Kind">What the answer is.</param>
/// <param name="Code">The error's code; null with a completion.</param>
/// <param name="Message">For people, one line, without prompt text; null with a completion.</param>
/// <param name="NotBefore">The provider's own word on when to come again; null for none.</param>
/// <param name="IsDown">Whether nobody was there to take the call: it has cost nothing.</param>
internal readonly record struct Classified(OutcomeKind Kind, string? Code = null, string? Message = null, TimeSpan? NotBefore = null, bool IsDown = false)
{
    /// <summary>The provider's own sentence, which may quote a prompt and belongs in no log; null where <see cref="Message"/> holds it or there is none.</summary>
    public string? Sentence { get; init; }
}

/// <summary>The outcome table.</summary>
internal static class Outcomes
{
    private const int LongestMessage = 300;

    public static Classified Classify(HttpAnswer answer) => answer.Status is { } status ? OfStatus(answer, status) : OfFailure(answer.Failure);

    /// <summary>Of a try that came to no HTTP call at all.</summary>
    public static Classified Unsent(Exception? failure) => failure switch
    {
        ObjectDisposedException or OperationCanceledException => new Classified(OutcomeKind.Transient, "connection_error", "the worker is being shut down"),
        // The message may quote the prompt, so the kind of fault has to do.
        ArgumentException or InvalidOperationException or NotSupportedException or FormatException or System.Text.Json.JsonException or KernelException =>
            new Classified(OutcomeKind.Permanent, "invalid_request", $"the request could not be made of the job ({failure.GetType().Name})"),
        _ => OfFailure(failure),
    };

    private static Classified OfStatus(HttpAnswer answer, int status)
    {
        if (status is >= 200 and < 300)
        {
            if (answer.Parsed.IsJsonObject)
                return new Classified(OutcomeKind.Completion);
            // It would be paid for again and again, and never fit.
            return answer.MediaType == "text/event-stream"
                ? new Classified(OutcomeKind.Permanent, "streamed_answer", "the answer is a stream, which is not supported: leave \"stream\" out")
                : new Classified(OutcomeKind.Transient, "invalid_response", $"HTTP {status} with a body that is not a JSON object");
        }

        var error = ProviderError.Read(answer.Body);
        var code = error.Code ?? error.Type ?? $"http_{status}";
        var name = Enum.IsDefined((HttpStatusCode)status) ? $"HTTP {status} {(HttpStatusCode)status}" : $"HTTP {status}";
        var wait = answer.Limits.RetryAfter;
        if (status is >= 400 and < 500 and not 401 and not 408 and not 429)
        {
            if (error.HasRowCode)
                return new Classified(OutcomeKind.Permanent, code, error.IsContentFilter ? $"{name}: refused by the provider's content filter" : name);
            if (error.IsUnknownModel(status))
                return Fault(OutcomeKind.ModelFault);
        }

        if (status is >= 400 and < 500 and not 408 && error.IsAccount(status))
            return Fault(OutcomeKind.AccountFault);
        return status switch
        {
            401 or 402 or 407 => Fault(OutcomeKind.AccountFault),
            403 when error.IsRowFault => new Classified(OutcomeKind.Permanent, code, name),
            403 => Fault(OutcomeKind.Refused),
            429 => new Classified(OutcomeKind.Later, code, error.Message is null ? name : $"{name}: {OneLine(error.Message)}", wait ?? Reset(answer.Limits)),
            503 when wait is not null => new Classified(OutcomeKind.Later, code, name, wait),
            // 424, 498 and 499: TGI's failed generation, Groq's flex capacity, a call that a proxy cancelled. A 400 without a word is none of the row's.
            408 or 409 or 424 or 425 or 498 or 499 or >= 500 => new Classified(OutcomeKind.Transient, code, name, wait, IsDown: status is 502 or 503),
            400 when answer.Body.IsEmpty => new Classified(OutcomeKind.Transient, code, name, wait),
            // Not followed: it would turn a POST into a GET, or carry the key to another host.
            >= 300 and < 400 => new Classified(
                OutcomeKind.Refused, code, $"{name} to {answer.Location?.GetLeftPart(UriPartial.Path) ?? "nowhere"}: set the endpoint's own URL"),
            413 => new Classified(OutcomeKind.Permanent, code, name),
            404 when error is { Code: null, Type: null } => new Classified(
                OutcomeKind.Unexplained, code, $"{name}: the endpoint does not know this path; an OpenAI-compatible base URL ends in /v1"),
            _ when error.IsRowFault => new Classified(OutcomeKind.Permanent, code, name),
            _ => new Classified(OutcomeKind.Unexplained, code, name) { Sentence = Fault(OutcomeKind.Unexplained).Message },
        };

        Classified Fault(OutcomeKind kind) => new(kind, code, error.Message is null ? name : $"{name}: {OneLine(error.Message)}");
    }

    private static Classified OfFailure(Exception? failure) => failure switch
    {
        QuotaClosedException closed => new Classified(OutcomeKind.NotSent, "quota_closed", "the provider asked to wait", closed.RetryAfter),
        CircuitOpenException broken => new Classified(OutcomeKind.NotSent, "circuit_open", "the endpoint kept failing and is left alone for a while", broken.RetryAfter),
        TimeoutRejectedException timeout => new Classified(OutcomeKind.Transient, "request_timeout", $"no answer within {timeout.Timeout.TotalSeconds:0.###} s"),
        _ when Find<AuthenticationException>(failure) is { } tls => new Classified(OutcomeKind.DeploymentFault, "tls_error", OneLine(tls.Message)),
        _ when Find<AuthenticationFailedException>(failure) is { } signIn && Find<Azure.RequestFailedException>(signIn) is { Status: 0 or 408 or 429 or >= 500 } =>
            new Classified(OutcomeKind.Transient, "connection_error", "the sign-in service cannot be reached", IsDown: true),
        _ when Find<AuthenticationFailedException>(failure) is { } identity => new Classified(OutcomeKind.DeploymentFault, "identity_error", OneLine(identity.Message)),
        HttpRequestException { HttpRequestError: HttpRequestError.NameResolutionError } => new Classified(OutcomeKind.Transient, "connection_error", "the endpoint's host name was not found", IsDown: true),
        HttpRequestException { HttpRequestError: HttpRequestError.ConnectionError } => new Classified(OutcomeKind.Transient, "connection_error", "the endpoint cannot be reached", IsDown: true),
        // The handler's connect timeout comes as a cancellation that nobody asked for.
        OperationCanceledException => new Classified(OutcomeKind.Transient, "connection_error", "the endpoint could not be connected to in time", IsDown: true),
        HttpRequestException or IOException => new Classified(OutcomeKind.Transient, "connection_error", "the connection broke before the answer was whole"),
        _ => new Classified(OutcomeKind.Transient, "invalid_response", "the answer could not be read"),
    };

    // Providers that send no Retry-After may still say when the exhausted one of the two is there again.
    private static TimeSpan? Reset(RateLimitHeaders limits) => limits switch
    {
        { RequestsLeft: 0, RequestReset: { } requests } => requests,
        { TokensLeft: 0, TokenReset: { } tokens } => tokens,
        _ => null,
    };

    private static T? Find<T>(Exception? exception)
        where T : Exception
    {
        for (; exception is not null; exception = exception.InnerException)
            if (exception is T found)
                return found;
        return null;
    }

    private static string OneLine(string message)
    {
        var line = string.Join(' ', message.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
        return line.Length <= LongestMessage ? line : string.Concat(line.AsSpan(0, LongestMessage), "…");
    }
}
