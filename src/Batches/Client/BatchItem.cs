using System.Text.Json;

namespace LlmPipeline;

/// <summary>What one row of a batch asks for.</summary>
/// <param name="Model">The model, which names its queue.</param>
/// <param name="Work">The request.</param>
/// <param name="CustomId">The submitter's own name of the row, copied to its result; null for none.</param>
public sealed record BatchItem(string Model, JobWork Work, string? CustomId = null)
{
    /// <summary>A prompt as the one user message of a chat completion.</summary>
    /// <param name="model">The model.</param>
    /// <param name="prompt">The text, as it is.</param>
    /// <param name="customId">The submitter's own name of the row.</param>
    public static BatchItem OfPrompt(string model, string prompt, string? customId = null) =>
        new(model, RequestWork.OfPrompt(model, prompt), customId);

    /// <summary>A request body, which goes to the provider byte for byte.</summary>
    /// <param name="body">UTF-8 JSON, one object, with a field <c>model</c>.</param>
    /// <param name="path">The path of OpenAI's API.</param>
    /// <param name="customId">The submitter's own name of the row.</param>
    /// <exception cref="ArgumentException">The body is no JSON object, or names no model.</exception>
    public static BatchItem OfBody(ReadOnlyMemory<byte> body, string path = "/v1/chat/completions", string? customId = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        try
        {
            using var json = JsonDocument.Parse(body);
            if (json.RootElement.TryGetField("model"u8, out var model)
                && model.ValueKind == JsonValueKind.String
                && model.GetString() is { Length: > 0 } name)
                return new BatchItem(name, new RequestWork { Path = path, Body = body }, customId);
        }
        catch (JsonException e)
        {
            throw new ArgumentException($"The body is not JSON: {e.Message}", nameof(body), e);
        }

        throw new ArgumentException("The body is no JSON object with a text in its field model.", nameof(body));
    }
}
