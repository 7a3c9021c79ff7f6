using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace LlmPipeline;

/// <summary>A dead letter as a whole: the job as it was submitted, and its last error. Prompt and answer only for who asks for them.</summary>
internal sealed record DeadContent(DeadLetter Letter)
{
    // What is nested deeper is shown as text.
    private const int MaxDepth = 60;
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public required string? Path { get; init; }

    /// <summary>The body of a request; null for a prompt function's row, or when it was not asked for.</summary>
    public required JsonNode? Body { get; init; }

    public required string? Function { get; init; }

    public required IReadOnlyDictionary<string, string>? Variables { get; init; }

    /// <summary>What the provider answered last; null when it did not, its answer is no longer kept, or was not asked for.</summary>
    public required JsonNode? Response { get; init; }

    public static DeadContent Of(JobPlace place, JobResult? result, bool withText)
    {
        var request = place.Job?.Work as RequestWork;
        var prompt = place.Job?.Work as PromptWork;
        return new DeadContent(DeadLetter.Of(place.Queue, new DeadJob(place.Id, place.Buried ?? default, place.Job), result))
        {
            Path = request?.Path,
            Body = request is null || !withText ? null : Json(request.Body),
            Function = prompt?.Function,
            Variables = withText ? prompt?.Variables : null,
            Response = result is null || !withText ? null : Json(result.Response),
        };
    }

    public string ToText()
    {
        var text = new StringBuilder();
        Line("job", Letter.Job);
        Line("queue", Letter.Queue);
        Line("batch", Letter.Batch);
        Line("custom_id", Letter.CustomId);
        Line("buried", Letter.Buried.ToString("yyyy-MM-dd HH:mm:ss'Z'", CultureInfo.InvariantCulture));
        Line("tries", Letter.Attempts?.ToString(CultureInfo.InvariantCulture));
        Line("status", Letter.StatusCode?.ToString(CultureInfo.InvariantCulture));
        Line("error", string.Join(": ", new[] { Letter.ErrorCode, Letter.ErrorMessage }.OfType<string>()));
        Line("path", Path);
        Line("function", Function);
        foreach (var (name, value) in Variables ?? new Dictionary<string, string>())
            Line("  " + name, value);
        Line("body", Body?.ToJsonString(Indented));
        Line("response", Response?.ToJsonString(Indented));
        return text.ToString();

        void Line(string name, string? value)
        {
            if (!string.IsNullOrEmpty(value))
                text.Append(SafeText.Printable(name.PadRight(11))).Append(SafeText.Printable(value, keepLineFeeds: true)).Append('\n');
        }
    }

    private static JsonNode? Json(ReadOnlyMemory<byte> body)
    {
        if (body.IsEmpty)
            return null;
        // A proxy's page, or a cut answer, is shown as the text that it is.
        return JsonNode.Parse(LenientJson.WithoutHalves(LenientJson.AsJson(body, MaxDepth).Span), null, new JsonDocumentOptions { MaxDepth = MaxDepth });
    }
}
