using System.Net.Http.Headers;

namespace LlmPipeline;

/// <summary>A body that was read: for the SDKs as JSON that they can decode, beside it as received.</summary>
internal sealed class AnswerContent : ByteArrayContent
{
    private AnswerContent(byte[] readable)
        : base(readable)
    {
    }

    /// <summary>As received.</summary>
    public required ReadOnlyMemory<byte> Received { get; init; }

    /// <summary>Whether it is the answer that was asked for; null for a body with another status than 2xx.</summary>
    public CompletionVerdict? Check { get; private init; }

    /// <summary>Whether the answer says, or shows, that who made it is down.</summary>
    public bool IsDown => Check is { ErrorStatus: >= 500 } or { Code: CompletionCheck.IncompleteStream };

    /// <param name="headers">Those of the response.</param>
    /// <param name="received">The body.</param>
    /// <param name="check">What it is.</param>
    public static AnswerContent Of(HttpContentHeaders headers, byte[] received, CompletionVerdict? check)
    {
        var readable = check is { IsCompletion: true } && check.Flags.HasFlag(AnswerFlags.Lenient)
            && LenientJson.ToDecodable(received, out _) is { } repaired
            ? repaired.ToArray()
            : received;
        var content = new AnswerContent(readable) { Received = received, Check = check };
        content.Headers.ContentType = check is null ? headers.ContentType : new MediaTypeHeaderValue("application/json");
        return content;
    }
}
