using System.ClientModel.Primitives;
using System.Collections.Frozen;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.SemanticKernel;
using Microsoft.SemanticKernel.Connectors.AzureOpenAI;
using OpenAI.Chat;

namespace LlmPipeline;

/// <summary>
/// Execution settings from JSON, so that each one either reaches the provider or is refused. Semantic Kernel alone drops keys that it does not
/// know, throws on <c>reasoning_effort</c> and takes <c>response_format: {"type":"json_object"}</c> for a schema.
/// </summary>
internal static class PromptSettings
{
    // Fields of OpenAI's chat API that Semantic Kernel has no setting for, or mistreats when they come from JSON: they go into the body as written.
    private static readonly FrozenSet<string> Verbatim = new[]
    {
        "logit_bias", "max_completion_tokens", "metadata", "n", "parallel_tool_calls", "prompt_cache_key", "reasoning_effort", "safety_identifier", "service_tier", "verbosity",
    }.ToFrozenSet();

    // Fields that the SDK would write twice or stumble over, or that are not a setting's to change.
    private static readonly FrozenSet<string> Unsendable = new[]
    {
        "audio", "function_call", "functions", "messages", "modalities", "model", "prediction", "stream", "stream_options", "tool_choice", "tools", "web_search_options",
    }.ToFrozenSet();

    private static readonly JsonSerializerOptions Json = new()
    {
        NumberHandling = JsonNumberHandling.AllowReadingFromString,
        RespectNullableAnnotations = true,
    };

    /// <summary>The settings of <paramref name="own"/> with those of <paramref name="overrides"/> in their place, fit for both the OpenAI and the Azure connector.</summary>
    /// <param name="where">For messages: the file and field that the settings stand in.</param>
    /// <param name="own">Name → value.</param>
    /// <param name="overrides">Name → value; null for none.</param>
    /// <exception cref="PromptFunctionException">A setting that would not be sent, or whose value does not fit.</exception>
    public static PromptExecutionSettings Build(
        string where, IReadOnlyDictionary<string, JsonElement> own, IReadOnlyDictionary<string, JsonElement>? overrides = null)
    {
        var typed = new Dictionary<string, JsonElement>();
        var verbatim = new Dictionary<string, object?>();
        ChatResponseFormat? format = null;
        foreach (var (name, value) in own.Where(setting => overrides?.ContainsKey(setting.Key) != true).Concat(overrides ?? Enumerable.Empty<KeyValuePair<string, JsonElement>>()))
        {
            if (name != "extra_body")
                Sort(name, value, isExtra: false);
            else if (value.ValueKind == JsonValueKind.Object)
                foreach (var field in value.EnumerateObject())
                    Sort(field.Name, field.Value, isExtra: true);
            else
                throw new PromptFunctionException($"{where}.extra_body: must be an object of body fields");
        }

        var settings = JsonSerializer.SerializeToElement(typed).Deserialize<AzureOpenAIPromptExecutionSettings>(Json)!;
        settings.ResponseFormat = format;
        if (verbatim.Count > 0)
            settings.ExtraBody = verbatim;
        return settings;

        void Sort(string name, JsonElement value, bool isExtra)
        {
            if (Unsendable.Contains(name) || name.StartsWith('$'))
                throw new PromptFunctionException($"{where}.{name}: cannot be set for a prompt function; a file of request bodies can hold it");
            if (name == "response_format")
            {
                format = ResponseFormat(where, value);
            }
            else if (name is "stop" or "stop_sequences")
            {
                var list = value.ValueKind == JsonValueKind.String ? JsonSerializer.SerializeToElement(new[] { value }) : value;
                RefuseUnfit(where, name, "stop_sequences", list);
                typed["stop_sequences"] = list;
            }
            else if (isExtra || Verbatim.Contains(name))
            {
                verbatim[name] = value;
            }
            else
            {
                RefuseUnfit(where, name, name, value);
                typed[name] = value;
            }
        }
    }

    // One by one, because the message of a failed whole names a byte position and not the setting.
    private static void RefuseUnfit(string where, string name, string key, JsonElement value)
    {
        AzureOpenAIPromptExecutionSettings? alone;
        try
        {
            alone = JsonSerializer.SerializeToElement(new Dictionary<string, JsonElement> { [key] = value }).Deserialize<AzureOpenAIPromptExecutionSettings>(Json);
        }
        catch (Exception e) when (e is JsonException or NotSupportedException or InvalidOperationException or FormatException or OverflowException)
        {
            throw new PromptFunctionException($"{where}.{name}: does not fit this setting", e);
        }
        if (alone!.ExtensionData is { Count: > 0 })
            throw new PromptFunctionException($"{where}.{name}: no such setting; a field that only your endpoint knows goes into extra_body");
    }

    private static ChatResponseFormat ResponseFormat(string where, JsonElement value)
    {
        var written = value.ValueKind == JsonValueKind.String ? JsonSerializer.SerializeToElement(new Dictionary<string, JsonElement> { ["type"] = value }) : value;
        if (written.ValueKind != JsonValueKind.Object || !written.TryGetProperty("type", out var type) || type.ValueKind != JsonValueKind.String)
            throw new PromptFunctionException($"{where}.response_format: must be a name such as \"json_object\", or an object with a type");
        try
        {
            return ModelReaderWriter.Read<ChatResponseFormat>(BinaryData.FromString(written.GetRawText()))!;
        }
        catch (Exception e) when (e is JsonException or FormatException or InvalidOperationException or KeyNotFoundException)
        {
            throw new PromptFunctionException($"{where}.response_format: does not fit this setting", e);
        }
    }
}
