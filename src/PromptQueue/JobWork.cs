using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace LlmPipeline;

/// <summary>What a job asks of the LLM: a <see cref="RequestWork"/> or a <see cref="PromptWork"/>.</summary>
public abstract record JobWork
{
    private protected JobWork()
    {
    }
}

/// <summary>A raw request: a JSON body that goes to the provider byte for byte.</summary>
public sealed record RequestWork : JobWork
{
    private static readonly JsonWriterOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The OpenAI path, such as <c>/v1/chat/completions</c>.</summary>
    public required string Path { get; init; }

    /// <summary>The body, UTF-8 JSON, one object.</summary>
    public required ReadOnlyMemory<byte> Body { get; init; }

    /// <summary>A prompt as the one user message of a chat completion.</summary>
    /// <param name="model">The model.</param>
    /// <param name="prompt">The text, as it is.</param>
    /// <param name="stream">Whether the answer is to come as it is made.</param>
    public static RequestWork OfPrompt(string model, string prompt, bool stream = false)
    {
        var body = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(body, Relaxed))
        {
            json.WriteStartObject();
            json.WriteString("model", model);
            json.WriteStartArray("messages");
            json.WriteStartObject();
            json.WriteString("role", "user");
            json.WriteString("content", prompt);
            json.WriteEndObject();
            json.WriteEndArray();
            if (stream)
                json.WriteBoolean("stream", true);
            json.WriteEndObject();
        }

        return new RequestWork { Path = "/v1/chat/completions", Body = body.WrittenMemory };
    }
}

/// <summary>A prompt function and the values of its variables.</summary>
public sealed record PromptWork : JobWork
{
    /// <summary>The function's name, for people.</summary>
    public required string Function { get; init; }

    /// <summary>The hash of the function's files, lower-case hex: which version of the function is meant.</summary>
    public required string Sha { get; init; }

    /// <summary>Variable name → value. Values are data: they are rendered as they are typed here.</summary>
    public required IReadOnlyDictionary<string, string> Variables { get; init; }

    /// <summary>A system message to put before the function's own messages; null for none.</summary>
    public string? System { get; init; }

    /// <summary>Execution settings that replace those of the function, such as <c>temperature</c>; null for none.</summary>
    public IReadOnlyDictionary<string, JsonElement>? Settings { get; init; }
}
