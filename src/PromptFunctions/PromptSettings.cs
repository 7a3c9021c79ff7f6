using System.Collections.Frozen;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.SemanticKernel;
using Microsoft.SemanticKernel.Connectors.AzureOpenAI;

namespace LlmPipeline;

/// <summary>
/// Execution settings from JSON, so that each one either reaches the provider or is refused. Semantic Kernel alone drops keys
/// that it does not know, throws on <c>reasoning_effort</c> and takes <c>response_format: {"type":"json_object"}</c> for a schema.
/// </summary>
internal static class PromptSettings
{
    // Fields of OpenAI's chat API that Semantic Kernel has no setting for, or mistreats when they come from JSON: they go into the body as written.
    private static readonly FrozenSet<string> Verbatim = new[]
    {
        "audio", "logit_bias", "max_completion_tokens", "metadata", "modalities", "n", "parallel_tool_calls", "prediction", "prompt_cache_key",
        "reasoning_effort", "response_format", "safety_identifier", "service_tier", "stop", "verbosity", "web_search_options",
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
        foreach (var (name, value) in own.Where(setting => overrides?.ContainsKey(setting.Key) != true).Concat(overrides ?? Enumerable.Empty<KeyValuePair<string, JsonElement>>()))
        {
            if (Verbatim.Contains(name))
                verbatim[name] = name == "response_format" ? ResponseFormat(where, value) : value;
            else if (name != "extra_body")
                typed[name] = value;
            else if (value.ValueKind == JsonValueKind.Object)
                foreach (var field in value.EnumerateObject())
                    verbatim[field.Name] = field.Value;
            else
                throw new PromptFunctionException($"{where}.extra_body: must be an object of body fields");
        }

        foreach (var (name, value) in typed)
            RefuseUnfit(where, name, value);
        var settings = JsonSerializer.SerializeToElement(typed).Deserialize<AzureOpenAIPromptExecutionSettings>(Json)!;
        if (verbatim.Count > 0)
            settings.ExtraBody = verbatim;
        return settings;
    }

    // One by one, because the message of a failed whole names a byte position and not the setting.
    private static void RefuseUnfit(string where, string name, JsonElement value)
    {
        AzureOpenAIPromptExecutionSettings? alone;
        try
        {
            alone = JsonSerializer.SerializeToElement(new Dictionary<string, JsonElement> { [name] = value }).Deserialize<AzureOpenAIPromptExecutionSettings>(Json);
        }
        catch (Exception e) when (e is JsonException or NotSupportedException or InvalidOperationException or FormatException or OverflowException)
        {
            throw new PromptFunctionException($"{where}.{name}: does not fit this setting", e);
        }
        if (alone!.ExtensionData is { Count: > 0 })
            throw new PromptFunctionException($"{where}.{name}: no such setting; a field that only your endpoint knows goes into extra_body");
    }

    private static object ResponseFormat(string where, JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => value,
        JsonValueKind.String => new Dictionary<string, string?> { ["type"] = value.GetString() },
        _ => throw new PromptFunctionException($"{where}.response_format: must be a name such as \"json_object\" or an object"),
    };
}
