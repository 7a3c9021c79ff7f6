using System.Text.Json;
using System.Text.Json.Nodes;

namespace LlmPipeline;

/// <summary>
/// <c>--schema</c>: a file with a JSON schema, or fields in short, such as <c>label: positive|negative, confidence: number, tags: text[]</c>.
/// It becomes the setting <c>response_format</c>.
/// </summary>
internal static class AnswerSchemaOption
{
    private const string Setting = "response_format";
    private const string Types = "text, number, integer, boolean, a choice such as yes|no, [] behind one for a list, or ? for null too";

    /// <summary>The settings with the schema among them.</summary>
    /// <exception cref="CliException">It is no schema, or there is one among the settings.</exception>
    public static IReadOnlyDictionary<string, JsonElement> Apply(string? schema, IReadOnlyDictionary<string, JsonElement> settings)
    {
        if (schema is null)
            return settings;
        if (settings.ContainsKey(Setting))
            throw CliException.Usage($"--schema and --set {Setting} say the same: give one of them");
        var format = new JsonObject
        {
            ["type"] = "json_schema",
            ["json_schema"] = new JsonObject { ["name"] = "answer", ["strict"] = true, ["schema"] = Read(schema) },
        };
        return new Dictionary<string, JsonElement>(settings, StringComparer.Ordinal) { [Setting] = JsonSerializer.SerializeToElement(format) };
    }

    /// <summary>The fields of the answers that <see cref="Setting"/> asks for; empty when it asks for none.</summary>
    public static IReadOnlyList<string> FieldsOf(IReadOnlyDictionary<string, JsonElement> settings) =>
        settings.TryGetValue(Setting, out var format) && format.ValueKind == JsonValueKind.Object
        && format.TryGetProperty("json_schema", out var named) && named.ValueKind == JsonValueKind.Object
        && named.TryGetProperty("schema", out var schema) && schema.ValueKind == JsonValueKind.Object
        && schema.TryGetProperty("properties", out var fields) && fields.ValueKind == JsonValueKind.Object
            ? [.. fields.EnumerateObject().Select(field => field.Name)] : [];

    private static JsonNode Read(string schema)
    {
        if (File.Exists(schema))
            return OfFile(schema);
        return schema.Contains(':', StringComparison.Ordinal)
            ? OfFields(schema)
            : throw CliException.Usage($"--schema {schema}: there is no such file; fields are written as 'label: positive|negative, confidence: number'");
    }

    private static JsonNode OfFile(string path)
    {
        JsonNode? root;
        try
        {
            root = JsonNode.Parse(File.ReadAllBytes(path));
        }
        catch (JsonException e)
        {
            throw CliException.Usage($"{path}:{e.LineNumber + 1}: is not valid JSON");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw CliException.Usage($"{path}: cannot be read: {e.Message}");
        }

        // Also what goes around a schema in a request.
        root = (root as JsonObject)?["json_schema"] ?? root;
        root = (root as JsonObject)?["schema"] ?? root;
        return root is JsonObject ? root.DeepClone() : throw CliException.Usage($"{path}: must be a JSON schema, which is an object");
    }

    private static JsonObject OfFields(string text)
    {
        var properties = new JsonObject();
        foreach (var field in text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            if (field.Split(':', 2, StringSplitOptions.TrimEntries) is not [{ Length: > 0 } name, { Length: > 0 } type])
                throw CliException.Usage($"--schema: \"{field}\" is no field; write NAME: TYPE, the type being {Types}");
            if (!properties.TryAdd(name, OfType(name, type)))
                throw CliException.Usage($"--schema: {name} is there twice");
        }

        return new JsonObject
        {
            ["type"] = "object",
            ["additionalProperties"] = false,
            ["required"] = new JsonArray([.. properties.Select(field => JsonValue.Create(field.Key))]),
            ["properties"] = properties,
        };
    }

    private static JsonObject OfType(string name, string type)
    {
        if (type.EndsWith('?'))
            return OrNull(OfType(name, type[..^1].TrimEnd()));
        if (type.EndsWith("[]", StringComparison.Ordinal))
            return new JsonObject { ["type"] = "array", ["items"] = OfType(name, type[..^2].TrimEnd()) };
        if (type.Contains('|', StringComparison.Ordinal))
        {
            var choices = type.Split('|', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
            return new JsonObject { ["type"] = "string", ["enum"] = new JsonArray([.. choices.Select(choice => JsonValue.Create(choice))]) };
        }

        var known = type switch
        {
            "text" or "string" => "string",
            "number" or "float" => "number",
            "integer" or "int" => "integer",
            "boolean" or "bool" => "boolean",
            _ => throw CliException.Usage($"--schema: {name}: \"{type}\" is no type; there are {Types}"),
        };
        return new JsonObject { ["type"] = known };
    }

    private static JsonObject OrNull(JsonObject type)
    {
        if (type["enum"] is JsonArray choices)
            choices.Add(null);
        type["type"] = new JsonArray(type["type"]!.DeepClone(), "null");
        return type;
    }
}
