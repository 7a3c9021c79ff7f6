using System.Buffers;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace LlmPipeline;

/// <summary>An error that came inside a 2xx answer or as an event of a stream.</summary>
/// <param name="Status">The status that it would have come with; null when nothing of it is known.</param>
/// <param name="Code">The provider's code or type; null for none.</param>
/// <param name="Body">As the body of an error answer.</param>
internal sealed record InnerError(int? Status, string? Code, ReadOnlyMemory<byte> Body)
{
    // Fields that a code may be in, the most telling first: OpenAI and OpenRouter, Azure's gateway, Google, Baidu, and Anthropic.
    private static readonly string[] CodeFields =
    [
        "code", "status_code", "statusCode", "http_status", "status", "error_code", "errcode", "errorCode", "ErrorCode", "Code", "type",
        "__type", "reason",
    ];

    private static readonly JsonDocumentOptions AnyDepth = new() { MaxDepth = int.MaxValue };

    /// <summary>Of the value of a field <c>error</c>.</summary>
    public static InnerError OfValue(ReadOnlyMemory<byte> error)
    {
        using var document = JsonDocument.Parse(error, AnyDepth);
        var body = new ArrayBufferWriter<byte>(error.Length + 16);
        body.Write("{\"error\":"u8);
        body.Write(error.Span);
        body.Write("}"u8);
        return Of(document.RootElement, body.WrittenMemory);
    }

    /// <summary>Of a body that is an error as a whole: vLLM, FastAPI, Azure's gateway, Cloudflare, MiniMax.</summary>
    public static InnerError OfBody(ReadOnlyMemory<byte> body)
    {
        using var document = JsonDocument.Parse(body, AnyDepth);
        var root = document.RootElement;
        if (root.ValueKind == JsonValueKind.Array && root.GetArrayLength() > 0)
            root = root[0];
        if (root.ValueKind == JsonValueKind.Object && root.TryGetProperty("errors", out var errors)
            && errors.ValueKind == JsonValueKind.Array && errors.GetArrayLength() > 0)
            return OfValue(JsonMarshal.GetRawUtf8Value(errors[0]).ToArray());
        return Of(root, body);
    }

    /// <summary>Of a body without an answer; null where nothing in it looks like an error.</summary>
    public static InnerError? Find(ReadOnlyMemory<byte> body)
    {
        using var document = JsonDocument.Parse(body, AnyDepth);
        return ErrorFields.Find(document.RootElement) is { } error ? OfValue(JsonMarshal.GetRawUtf8Value(error).ToArray()) : null;
    }

    /// <summary>The status that most providers send with a code or type of this name; null for one that no status is known of.</summary>
    public static int? StatusOf(string? code)
    {
        if (string.IsNullOrEmpty(code))
            return null;
        if (int.TryParse(code, NumberStyles.None, CultureInfo.InvariantCulture, out var number))
            return number is >= 400 and <= 599 ? number : null;
        var name = string.Concat(code.Where(char.IsAsciiLetterOrDigit)).ToLowerInvariant();
        foreach (var (status, parts) in Names)
        {
            foreach (var part in parts)
            {
                if (name.Contains(part, StringComparison.Ordinal))
                    return status;
            }
        }

        return name is "tokens" or "requests" ? 429 : name.StartsWith("invalid", StringComparison.Ordinal) ? 400 : null;
    }

    public CompletionVerdict ToVerdict() =>
        CompletionVerdict.Transient("the answer is an error", Code ?? "error_in_answer") with { ErrorStatus = Status ?? StatusOfWords(), ErrorBody = Body };

    // Providers with numbers of their own for codes say in words what they mean.
    private int? StatusOfWords() => ProviderError.Read(Body).Message is not { } message ? null
        : ErrorWords.SayAccount(message) ? 401
        : ErrorWords.SayUnknownModel(message) ? 404
        : ErrorWords.NameRateLimit(message) ? 429
        : ErrorWords.SayTooLong(message) || ErrorWords.SayModeration(message) ? 400
        : null;

    // Parts of names without case and punctuation; the first that fits counts. Sources: OpenAI's error codes
    // (https://platform.openai.com/docs/guides/error-codes, https://platform.openai.com/docs/api-reference/responses/object), Anthropic's
    // error types
    // (https://docs.anthropic.com/en/api/errors), Google's (https://cloud.google.com/apis/design/errors), Alibaba's
    // (https://www.alibabacloud.com/help/en/model-studio/error-code), Moonshot's (https://platform.moonshot.ai/docs/api/errors).
    private static readonly (int Status, string[] Parts)[] Names =
    [
        (429, ["insufficientquota", "exceededcurrentquota"]),
        (402, ["insufficientbalance", "insufficientcredit", "paymentrequired", "billing", "arrearage", "outofcredit",
            "budgetexceeded", "allowanceused"]),
        (429, ["ratelimit", "toomanyrequests", "throttl", "resourceexhausted", "quotaexceeded", "ratequota"]),
        (529, ["overload"]),
        (504, ["timeout", "timedout", "deadlineexceeded"]),
        (503, ["unavailable", "capacity", "busy", "loading"]),
        (401, ["invalidapikey", "incorrectapikey", "apikeyinvalid",
            "unauthorized", "unauthenticated", "authentication", "invalidauth", "invalidtoken"]),
        (403, ["permission", "forbidden", "accessdenied", "accountdeactivated", "accessterminated"]),
        (404, ["notfound", "unknownmodel", "invalidmodel", "modelnotexist"]),
        (413, ["toolarge"]),
        (400,
        [
            "contextlength", "contextwindow", "abovemax", "invalidrequest", "invalidprompt", "invalidargument",
            "invalidparameter", "badrequest", "failedprecondition",
            "contentfilter", "contentpolicy", "moderation",
            "datainspection", "unsupported", "missingrequired", "unprocessable", "validation",
        ]),
        (502, ["badgateway", "upstream", "providererror"]),
        (500, ["servererror", "internal", "apierror", "cancelled", "aborted"]),
    ];

    private static InnerError Of(JsonElement error, ReadOnlyMemory<byte> body)
    {
        string? code = null;
        if (error.ValueKind == JsonValueKind.Number)
            code = error.GetRawText();
        if (error.ValueKind != JsonValueKind.Object)
            return new InnerError(StatusOf(code), code, body);
        foreach (var name in CodeFields)
        {
            if (ErrorFields.Text(error, name) is not { } text)
                continue;
            if (StatusOf(text) is { } status)
                return new InnerError(status, text, body);
            if (name is not ("status" or "http_status" or "reason"))
                code ??= text;
        }

        return new InnerError(null, code, body);
    }
}
