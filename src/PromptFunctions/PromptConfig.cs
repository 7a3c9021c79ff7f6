using System.Text.Json;
using Microsoft.SemanticKernel;

namespace LlmPipeline;

/// <summary>What a config.json says, in Semantic Kernel's PromptTemplateConfig format.</summary>
internal sealed record PromptConfig
{
    private static readonly JsonDocumentOptions Lenient = new() { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true };

    public string? Description { get; init; }

    public IReadOnlyList<InputVariable> Variables { get; init; } = [];

    /// <summary>The settings as written, name → value, without <c>model_id</c> and <c>service_id</c>.</summary>
    public IReadOnlyDictionary<string, JsonElement> Settings { get; init; } = new Dictionary<string, JsonElement>();

    public string? ModelId { get; init; }

    /// <exception cref="PromptFunctionException">Not JSON, or not in the format, or more than one set of settings and none called <c>default</c>.</exception>
    public static PromptConfig Parse(string file, string json)
    {
        PromptTemplateConfig parsed;
        JsonElement root;
        try
        {
            using var document = JsonDocument.Parse(json, Lenient);
            root = document.RootElement.Clone();
        }
        catch (JsonException e)
        {
            throw new PromptFunctionException($"{file}:{e.LineNumber + 1}: is not valid JSON", e);
        }
        if (root.ValueKind != JsonValueKind.Object)
            throw new PromptFunctionException($"{file}: must be a JSON object");
        var settings = SettingsOf(file, root);
        try
        {
            // The settings are read by PromptSettings; Semantic Kernel must not stumble over them here.
            parsed = PromptTemplateConfig.FromJson(WithoutSettings(root));
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException or KernelException or JsonException)
        {
            throw new PromptFunctionException($"{file}: {OneLine((e.InnerException ?? e).Message)}", e);
        }
        if (!string.Equals(parsed.TemplateFormat, PromptTemplateConfig.SemanticKernelTemplateFormat, StringComparison.OrdinalIgnoreCase))
            throw new PromptFunctionException($"{file}: template_format: only \"{PromptTemplateConfig.SemanticKernelTemplateFormat}\" is supported");

        return new PromptConfig
        {
            Description = string.IsNullOrWhiteSpace(parsed.Description) ? null : parsed.Description,
            Variables = parsed.InputVariables,
            Settings = settings.Where(setting => setting.Key is not ("model_id" or "service_id")).ToDictionary(),
            ModelId = settings.TryGetValue("model_id", out var model) && model.ValueKind == JsonValueKind.String && model.GetString() is { Length: > 0 } id ? id : null,
        };
    }

    private static Dictionary<string, JsonElement> SettingsOf(string file, JsonElement root)
    {
        if (!root.TryGetProperty("execution_settings", out var all) || all.ValueKind == JsonValueKind.Null)
            return [];
        if (all.ValueKind != JsonValueKind.Object || all.EnumerateObject().Any(one => one.Value.ValueKind != JsonValueKind.Object))
            throw new PromptFunctionException($"{file}: execution_settings: must be an object of objects, such as {{\"default\": {{\"temperature\": 0}}}}");
        var sets = all.EnumerateObject().ToList();
        if (sets.Count == 0)
            return [];
        if (!all.TryGetProperty("default", out var chosen))
            chosen = sets.Count == 1
                ? sets[0].Value
                : throw new PromptFunctionException($"{file}: execution_settings: has {sets.Count} sets and none is called \"default\"");
        var settings = new Dictionary<string, JsonElement>();
        foreach (var setting in chosen.EnumerateObject())
            settings[setting.Name] = setting.Value;
        return settings;
    }

    private static string WithoutSettings(JsonElement root)
    {
        var rest = new Dictionary<string, JsonElement>();
        foreach (var property in root.EnumerateObject())
            if (property.Name != "execution_settings")
                rest[property.Name] = property.Value;
        return JsonSerializer.Serialize(rest);
    }

    private static string OneLine(string message) => string.Join(' ', message.Split('\n', '\r').Select(line => line.Trim()).Where(line => line.Length > 0));
}
