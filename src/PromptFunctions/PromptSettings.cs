using System.ClientModel.Primitives;
using System.Collections.Frozen;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;
using Microsoft.SemanticKernel;
using Microsoft.SemanticKernel.Connectors.AzureOpenAI;
using OpenAI.Chat;

namespace LlmPipeline;

/// <summary>
/// Execution settings from JSON, so that each one either reaches the provider or is refused. Semantic Kernel alone drops keys that it does not
/// know, throws on <c>reasoning_effort</c> and takes <c>response_format: {"type":"json_object"}</c> for a schema.
/// </summary>
/// <param name="Execution">What Semantic Kernel is given; fit for both the OpenAI and the Azure connector.</param>
/// <param name="Schema">What the answers are checked against; null for nothing.</param>
/// <param name="Tools">The functions of the kernel that the model may call, as <c>plugin.function</c>; empty for all there are, null for none.</param>
public sealed partial record PromptSettings(PromptExecutionSettings Execution, AnswerSchema? Schema, IReadOnlyList<string>? Tools)
{
    private const string Choice = "function_choice_behavior";

    // Fields of OpenAI's chat API that Semantic Kernel has no setting for, or mistreats when they come from JSON: they go into the body as written.
    private static readonly FrozenSet<string> Verbatim = new[]
    {
        "logit_bias", "metadata", "n", "parallel_tool_calls", "prompt_cache_key", "reasoning_effort", "safety_identifier", "service_tier", "verbosity",
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
        AllowOutOfOrderMetadataProperties = true,
    };

    /// <summary>The fields of the request that they send and that can be left out for a model that refuses them.</summary>
    public IEnumerable<string> Refusable => RefusableFields.Of((AzureOpenAIPromptExecutionSettings)Execution);

    /// <summary>The other name of the limit of a completion; null for another field.</summary>
    /// <param name="field">Its name in the request.</param>
    public static string? OtherNameOf(string field) => field switch
    {
        RefusableFields.MaxTokens => RefusableFields.MaxCompletionTokens,
        RefusableFields.MaxCompletionTokens => RefusableFields.MaxTokens,
        _ => null,
    };

    /// <summary>The same without fields that a model refuses; of the two names of the limit of a completion, the other is sent.</summary>
    /// <param name="fields">Names in the request.</param>
    /// <returns>Null where the model refuses both names of the limit, and there is one.</returns>
    public PromptSettings? Without(IReadOnlySet<string> fields)
    {
        if (fields.Count == 0)
            return this;
        return RefusableFields.Without((AzureOpenAIPromptExecutionSettings)Execution, fields) is { } execution
            ? this with { Execution = execution }
            : null;
    }

    /// <summary>The settings of <paramref name="own"/> with those of <paramref name="overrides"/> in their place.</summary>
    /// <param name="where">For messages: the file and field that the settings stand in.</param>
    /// <param name="own">Name → value.</param>
    /// <param name="overrides">Name → value; null for none.</param>
    /// <param name="known">The schema of <paramref name="own"/>, so that it is not read again; null to read it.</param>
    /// <exception cref="PromptFunctionException">A setting that would not be sent, or whose value does not fit.</exception>
    internal static PromptSettings Build(
        string where, IReadOnlyDictionary<string, JsonElement> own, IReadOnlyDictionary<string, JsonElement>? overrides = null, AnswerSchema? known = null)
    {
        var typed = new Dictionary<string, JsonElement>();
        var verbatim = new Dictionary<string, object?>();
        ChatResponseFormat? format = null;
        AnswerSchema? schema = null;
        IReadOnlyList<string>? tools = null;
        var hasNewLimit = false;
        foreach (var (name, value) in own.Where(setting => overrides?.ContainsKey(setting.Key) != true).Concat(overrides ?? Enumerable.Empty<KeyValuePair<string, JsonElement>>()))
        {
            if (name != "extra_body")
                Sort(name, value, overrides?.ContainsKey(name) == true, isExtra: false);
            else if (value.ValueKind == JsonValueKind.Object)
                foreach (var field in value.EnumerateObject())
                    Sort(field.Name, field.Value, overrides?.ContainsKey(name) == true, isExtra: true);
            else
                throw new PromptFunctionException($"{where}.extra_body: must be an object of body fields");
        }

        var settings = JsonSerializer.SerializeToElement(typed).Deserialize<AzureOpenAIPromptExecutionSettings>(Json)!;
        settings.ResponseFormat = format;
        settings.SetNewMaxCompletionTokensEnabled = hasNewLimit;
        if (verbatim.Count > 0)
            settings.ExtraBody = verbatim;
        return new PromptSettings(settings, schema, tools);

        void Sort(string name, JsonElement value, bool isOverride, bool isExtra)
        {
            if (Unsendable.Contains(name) || name.StartsWith('$'))
                throw new PromptFunctionException($"{where}.{name}: cannot be set for a prompt function; a file of request bodies can hold it");
            if (name == "response_format")
            {
                format = ResponseFormat(where, value);
                schema = (isOverride ? null : known) ?? SchemaOf(where, value);
            }
            else if (name == Choice)
            {
                tools = ToolsOf($"{where}.{Choice}", value);
                RefuseUnfit(where, name, name, value);
                typed[name] = value;
            }
            else if (name is "stop" or "stop_sequences")
            {
                var list = value.ValueKind == JsonValueKind.String ? JsonSerializer.SerializeToElement(new[] { value }) : value;
                RefuseUnfit(where, name, "stop_sequences", list);
                typed["stop_sequences"] = list;
            }
            else if (!isExtra && name is (RefusableFields.MaxTokens or RefusableFields.MaxCompletionTokens))
            {
                RefuseUnfit(where, name, RefusableFields.MaxTokens, value);
                typed[RefusableFields.MaxTokens] = value;
                hasNewLimit = name == RefusableFields.MaxCompletionTokens;
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

    // {"type":"json_schema","json_schema":{"name":…,"schema":{…}}}, as OpenAI and Semantic Kernel write it.
    private static AnswerSchema? SchemaOf(string where, JsonElement format)
    {
        if (format.ValueKind != JsonValueKind.Object || format.GetProperty("type").GetString() != "json_schema")
            return null;
        where += ".response_format.json_schema";
        if (!format.TryGetProperty("json_schema", out var named) || named.ValueKind != JsonValueKind.Object)
            throw new PromptFunctionException($"{where}: must be an object with name and schema");
        if (!named.TryGetProperty("name", out var name) || name.ValueKind != JsonValueKind.String || !SchemaName().IsMatch(name.GetString()!))
            throw new PromptFunctionException($"{where}.name: must be 1 to 64 letters, digits, _ or -");
        return named.TryGetProperty("schema", out var schema)
            ? AnswerSchema.Parse($"{where}.schema", schema)
            : throw new PromptFunctionException($"{where}.schema: is missing");
    }

    // Semantic Kernel passes over fields that it does not know.
    private static IReadOnlyList<string> ToolsOf(string where, JsonElement choice)
    {
        if (choice.ValueKind != JsonValueKind.Object || !choice.TryGetProperty("type", out var type) || type.ValueKind != JsonValueKind.String
            || type.GetString() is not ("auto" or "required" or "none"))
            throw new PromptFunctionException($"{where}: must be an object with the type \"auto\", \"required\" or \"none\"");
        foreach (var field in choice.EnumerateObject())
            if (field.Name is not ("type" or "functions" or "options"))
                throw new PromptFunctionException($"{where}.{field.Name}: no such field; there are type, functions and options");
        if (!choice.TryGetProperty("functions", out var functions) || functions.ValueKind == JsonValueKind.Null)
            return [];
        return functions.ValueKind == JsonValueKind.Array && functions.GetArrayLength() > 0
            && functions.EnumerateArray().All(one => one.ValueKind == JsonValueKind.String && ToolName().IsMatch(one.GetString()!))
            ? [.. functions.EnumerateArray().Select(one => one.GetString()!)]
            : throw new PromptFunctionException($"{where}.functions: must be an array of names such as \"plugin.function\"");
    }

    [GeneratedRegex(@"^[A-Za-z0-9_-]{1,64}\z")]
    private static partial Regex SchemaName();

    [GeneratedRegex(@"^[A-Za-z0-9_]+\.[A-Za-z0-9_]+\z")]
    private static partial Regex ToolName();
}
