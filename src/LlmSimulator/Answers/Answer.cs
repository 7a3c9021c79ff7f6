using System.Text.Json;

namespace LlmPipeline;

/// <summary>A completion or embeddings, ready to be written.</summary>
internal sealed record Answer
{
    /// <summary>What was called.</summary>
    public required CallKind Kind { get; init; }

    /// <summary>The request.</summary>
    public required CallRequest Request { get; init; }

    /// <summary>The model, as it answers.</summary>
    public required string Model { get; init; }

    /// <summary>The number of the call, out of which its id is made.</summary>
    public required ulong Id { get; init; }

    /// <summary>Seconds since 1970.</summary>
    public required long Created { get; init; }

    /// <summary>The texts of a completion, with their tokens and whether they were cut off.</summary>
    public (string Text, int Tokens, bool Cut)[] Choices { get; init; } = [];

    /// <summary>The vectors of an embedding.</summary>
    public float[][] Vectors { get; init; } = [];

    /// <summary>Whether to add fields that nobody knows.</summary>
    public bool ExtraFields { get; init; }

    /// <summary>Tokens of all texts.</summary>
    public int CompletionTokens => Choices.Sum(c => c.Tokens);

    /// <summary>The answer to a request, from the hash of its bytes and the seed.</summary>
    public static Answer To(CallKind kind, CallRequest request, string model, ulong hash, ulong id, long created, SimulatorOptions options, TokenMeter meter)
    {
        var answer = new Answer { Kind = kind, Request = request, Model = model, Id = id, Created = created, ExtraFields = options.ExtraFields };
        if (kind == CallKind.Embedding)
        {
            // Of the text alone: the same text has the same vector, whatever stands beside it in the request.
            return answer with { Vectors = [.. request.Inputs.Select(i => Embedding.Vector(DrawSequence.Mix(i, (ulong)options.Seed), request.Dimensions))] };
        }
        var choices = new (string Text, int Tokens, bool Cut)[request.Choices * request.Inputs.Count];
        for (var n = 0; n < choices.Length; n++)
        {
            var draw = DrawSequence.Mix(hash, (ulong)n);
            var whole = request.CallsTool ? Arguments(request, draw)
                : request.Schema is { } schema ? SchemaText.Compose(draw, schema, options, request.PromptHash)
                : AnswerText.Compose(draw, options.AnswerWords, request.PromptHash, request.Json);
            var (text, tokens) = meter.Cut(whole, request.MaxTokens ?? int.MaxValue);
            choices[n] = (text, tokens, text.Length < whole.Length);
        }
        return answer with { Choices = choices };
    }

    /// <summary>How a choice ended.</summary>
    public string FinishReason(bool cut) => cut ? "length" : Request.CallsTool ? "tool_calls" : "stop";

    /// <summary>Writes the call of a tool, the first that is offered, with the text of a choice as its arguments.</summary>
    public void WriteToolCalls(Utf8JsonWriter json, int choice, string arguments, bool streamed)
    {
        json.WriteStartArray("tool_calls"u8);
        json.WriteStartObject();
        if (streamed)
            json.WriteNumber("index"u8, 0);
        json.WriteString("id"u8, string.Create(System.Globalization.CultureInfo.InvariantCulture, $"call_sim{Id:x16}{choice}"));
        json.WriteString("type"u8, "function"u8);
        json.WriteStartObject("function"u8);
        json.WriteString("name"u8, Request.Tools[0].Name);
        json.WriteString("arguments"u8, arguments);
        json.WriteEndObject();
        json.WriteEndObject();
        json.WriteEndArray();
    }

    /// <summary>Writes it as OpenAI does.</summary>
    public static void Write(Utf8JsonWriter json, Answer answer)
    {
        json.WriteStartObject();
        if (answer.Kind == CallKind.Embedding)
            answer.WriteEmbeddings(json);
        else if (answer.Kind == CallKind.Response)
            ResponseBody.WriteFields(json, answer);
        else
            answer.WriteChoices(json);
        if (answer.ExtraFields)
        {
            json.WritePropertyName("x_vendor"u8);
            // Numbers and escapes as a client must not rewrite them.
            json.WriteRawValue("""{"region":"sim-1","cost":1.50,"big":12345678901234567890,"note":"a\/b \u00e9","parts":[null,true,{}]}"""u8, skipInputValidation: true);
        }
        json.WriteEndObject();
    }

    private static string Arguments(CallRequest request, ulong draw) =>
        request.Tools[0].Parameters is { } parameters ? SchemaText.Fitting(draw, parameters) : "{}";

    private void WriteChoices(Utf8JsonWriter json)
    {
        var chat = Kind == CallKind.Chat;
        json.WriteString("id"u8, (chat ? "chatcmpl-sim" : "cmpl-sim") + Id.ToString("x16", System.Globalization.CultureInfo.InvariantCulture));
        json.WriteString("object"u8, chat ? "chat.completion"u8 : "text_completion"u8);
        json.WriteNumber("created"u8, Created);
        json.WriteString("model"u8, Model);
        json.WriteStartArray("choices"u8);
        for (var n = 0; n < Choices.Length; n++)
            WriteChoice(json, n, chat);
        json.WriteEndArray();
        WriteUsage(json);
        json.WriteString("system_fingerprint"u8, "fp_simulated"u8);
    }

    /// <summary>Writes the field <c>usage</c>.</summary>
    public void WriteUsage(Utf8JsonWriter json)
    {
        var output = CompletionTokens;
        json.WriteStartObject("usage"u8);
        json.WriteNumber("prompt_tokens"u8, Request.PromptTokens);
        json.WriteNumber("completion_tokens"u8, output);
        json.WriteNumber("total_tokens"u8, Request.PromptTokens + output);
        json.WriteStartObject("prompt_tokens_details"u8);
        json.WriteNumber("cached_tokens"u8, 0);
        json.WriteNumber("audio_tokens"u8, 0);
        json.WriteEndObject();
        json.WriteStartObject("completion_tokens_details"u8);
        json.WriteNumber("reasoning_tokens"u8, 0);
        json.WriteNumber("audio_tokens"u8, 0);
        json.WriteNumber("accepted_prediction_tokens"u8, 0);
        json.WriteNumber("rejected_prediction_tokens"u8, 0);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private void WriteChoice(Utf8JsonWriter json, int n, bool chat)
    {
        var (text, _, cut) = Choices[n];
        json.WriteStartObject();
        json.WriteNumber("index"u8, n);
        if (chat)
        {
            json.WriteStartObject("message"u8);
            json.WriteString("role"u8, "assistant"u8);
            if (Request.CallsTool)
            {
                json.WriteNull("content"u8);
                WriteToolCalls(json, n, text, streamed: false);
            }
            else
            {
                json.WriteString("content"u8, text);
            }
            json.WriteNull("refusal"u8);
            json.WriteStartArray("annotations"u8);
            json.WriteEndArray();
            json.WriteEndObject();
        }
        else
        {
            json.WriteString("text"u8, text);
        }
        json.WriteNull("logprobs"u8);
        json.WriteString("finish_reason"u8, FinishReason(cut));
        json.WriteEndObject();
    }

    private void WriteEmbeddings(Utf8JsonWriter json)
    {
        json.WriteString("object"u8, "list"u8);
        json.WriteStartArray("data"u8);
        for (var n = 0; n < Vectors.Length; n++)
        {
            json.WriteStartObject();
            json.WriteString("object"u8, "embedding"u8);
            json.WriteNumber("index"u8, n);
            if (Request.Base64)
                json.WriteBase64String("embedding"u8, Embedding.Bytes(Vectors[n]));
            else
                WriteFloats(json, Vectors[n]);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteString("model"u8, Model);
        json.WriteStartObject("usage"u8);
        json.WriteNumber("prompt_tokens"u8, Request.PromptTokens);
        json.WriteNumber("total_tokens"u8, Request.PromptTokens);
        json.WriteEndObject();
    }

    private static void WriteFloats(Utf8JsonWriter json, float[] vector)
    {
        json.WriteStartArray("embedding"u8);
        foreach (var x in vector)
            json.WriteNumberValue(x);
        json.WriteEndArray();
    }
}
