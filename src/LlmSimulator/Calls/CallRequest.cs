using System.Text.Json;

namespace LlmPipeline;

/// <summary>What is called.</summary>
internal enum CallKind
{
    /// <summary><c>/v1/chat/completions</c>.</summary>
    Chat,

    /// <summary><c>/v1/completions</c>.</summary>
    Completion,

    /// <summary><c>/v1/embeddings</c>.</summary>
    Embedding,

    /// <summary><c>/v1/responses</c>.</summary>
    Response,
}

/// <summary>What an answer depends on of a request.</summary>
internal sealed class CallRequest
{
    /// <summary>The model; null when the body names none.</summary>
    public string? Model { get; set; }

    /// <summary>Completion tokens at most; null for no limit.</summary>
    public int? MaxTokens { get; set; }

    /// <summary>Choices for each prompt.</summary>
    public int Choices { get; set; } = 1;

    /// <summary>Whether the answer must be a JSON object.</summary>
    public bool Json { get; set; }

    /// <summary>The schema that the answer must fit; null for none.</summary>
    public JsonElement? Schema { get; set; }

    /// <summary>The functions that the model may call, with the schema of their arguments; empty when it may call none.</summary>
    public List<(string Name, JsonElement? Parameters)> Tools { get; } = [];

    /// <summary>Whether a message brings the result of a tool.</summary>
    public bool HasToolResult { get; set; }

    /// <summary>Whether the answer is the call of a tool: some are offered, and none has been called yet.</summary>
    public bool CallsTool => Tools.Count > 0 && !HasToolResult;

    /// <summary>Whether the answer is wanted as a stream of events.</summary>
    public bool Stream { get; set; }

    /// <summary>Whether a stream ends with the usage.</summary>
    public bool StreamUsage { get; set; }

    /// <summary>Tokens of the prompt.</summary>
    public int PromptTokens { get; set; }

    /// <summary>The hash of the last user message, or of the prompt: the first 16 hex digits of the SHA-256 of its UTF-8.</summary>
    public string PromptHash { get; set; } = "";

    /// <summary>A hash of each prompt or input; one for a chat.</summary>
    public List<ulong> Inputs { get; } = [];

    /// <summary>Dimensions of an embedding.</summary>
    public int Dimensions { get; set; } = Embedding.DefaultDimensions;

    /// <summary>Whether embeddings are wanted in base64.</summary>
    public bool Base64 { get; set; }

    /// <summary>What the call takes of a token window before its answer is known; without max_tokens a completion counts 16, OpenAI's own default.</summary>
    public long Reserve(CallKind kind)
    {
        const int Unknown = 16;
        return kind == CallKind.Embedding ? PromptTokens : PromptTokens + ((long)(MaxTokens ?? Unknown) * Choices * Inputs.Count);
    }
}

/// <summary>What is wrong with a request: an error body in the making.</summary>
internal sealed record CallProblem(int Status, string Message, string? Param = null, string? Code = null, string? Type = "invalid_request_error");
