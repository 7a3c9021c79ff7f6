using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace LlmPipeline;

/// <summary>
/// Which keywords a schema may have and what their values are: those of JSON Schema draft 7 that NJsonSchema checks, and <c>$defs</c>. They are all that
/// OpenAI takes (<see href="https://platform.openai.com/docs/guides/structured-outputs#supported-schemas"/>) and some more.
/// </summary>
internal static class AnswerSchemaRules
{
    private static readonly string[] Types = ["string", "number", "integer", "boolean", "object", "array", "null"];
    private static readonly string[] Annotations = ["$schema", "$comment", "title", "description", "default", "examples"];

    /// <exception cref="PromptFunctionException">Something is wrong; the message says where.</exception>
    public static void Check(string where, JsonElement schema)
    {
        if (schema.ValueKind != JsonValueKind.Object)
            throw new PromptFunctionException($"{where}: must be an object, a JSON schema");
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var keyword in schema.EnumerateObject())
        {
            if (!names.Add(keyword.Name))
                throw new PromptFunctionException($"{where}.{keyword.Name}: is there twice");
            Check($"{where}.{keyword.Name}", keyword.Name, keyword.Value);
        }
        if (names.Contains("const") && names.Contains("enum"))
            throw new PromptFunctionException($"{where}: has both const and enum");
        // NJsonSchema passes over what stands beside a reference.
        if (names.Contains("$ref") && names.FirstOrDefault(name => name is not ("$ref" or "$defs" or "definitions") && !Annotations.Contains(name)) is { } beside)
            throw new PromptFunctionException($"{where}.{beside}: cannot stand beside $ref");
    }

    /// <summary>A schema and all those in it. What <see cref="Check(string, JsonElement)"/> has found right.</summary>
    public static IEnumerable<JsonObject> Within(JsonNode? schema)
    {
        if (schema is not JsonObject one)
            yield break;
        var inner = new List<JsonNode?>();
        foreach (var (name, value) in one)
        {
            if (name is "properties" or "patternProperties" or "$defs" or "definitions")
                inner.AddRange(value!.AsObject().Select(pair => pair.Value));
            else if (name is "anyOf" or "oneOf" or "allOf")
                inner.AddRange(value!.AsArray());
            else if (name is "items" or "not" or "additionalProperties")
                inner.Add(value);
        }
        yield return one;
        foreach (var found in inner.SelectMany(Within))
            yield return found;
    }

    private static void Check(string where, string keyword, JsonElement value)
    {
        switch (keyword)
        {
            case "type":
                var types = value.ValueKind == JsonValueKind.Array ? [.. value.EnumerateArray()] : new[] { value };
                Must(types.Length > 0 && types.All(type => type.ValueKind == JsonValueKind.String && Types.Contains(type.GetString())), $"one of {string.Join(", ", Types)}, or an array of them");
                break;
            case "enum":
                Must(value.ValueKind == JsonValueKind.Array && value.GetArrayLength() > 0, "an array of one value or more");
                break;
            case "const":
                break;
            case "$ref":
                Must(value.ValueKind == JsonValueKind.String && value.GetString() is ['#', ..], "a reference within the schema, such as \"#/$defs/name\"");
                break;
            case "pattern":
                Must(value.ValueKind == JsonValueKind.String && IsPattern(value.GetString()!), "a regular expression");
                break;
            case "format":
                Must(value.ValueKind == JsonValueKind.String, "a string");
                break;
            case "minimum" or "maximum" or "exclusiveMinimum" or "exclusiveMaximum":
                Must(IsNumber(value), "a number");
                break;
            case "multipleOf":
                Must(IsNumber(value) && value.GetDouble() > 0, "a number above 0");
                break;
            case "minLength" or "maxLength" or "minItems" or "maxItems" or "minProperties" or "maxProperties":
                Must(value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var count) && count >= 0, "a whole number, 0 or more");
                break;
            case "uniqueItems":
                Must(value.ValueKind is JsonValueKind.True or JsonValueKind.False, "true or false");
                break;
            case "required":
                Must(value.ValueKind == JsonValueKind.Array && value.EnumerateArray().All(name => name.ValueKind == JsonValueKind.String), "an array of names");
                break;
            case "properties" or "patternProperties" or "$defs" or "definitions":
                Must(value.ValueKind == JsonValueKind.Object, "an object of schemas");
                foreach (var one in value.EnumerateObject())
                {
                    if (keyword == "patternProperties" && !IsPattern(one.Name))
                        throw new PromptFunctionException($"{where}.{one.Name}: must be named by a regular expression");
                    Check($"{where}.{one.Name}", one.Value);
                }
                break;
            case "anyOf" or "oneOf" or "allOf":
                Must(value.ValueKind == JsonValueKind.Array && value.GetArrayLength() > 0, "an array of one schema or more");
                for (var n = 0; n < value.GetArrayLength(); n++)
                    Check($"{where}[{n}]", value[n]);
                break;
            case "additionalProperties" when value.ValueKind is JsonValueKind.True or JsonValueKind.False:
                break;
            case "items" or "not" or "additionalProperties":
                Check(where, value);
                break;
            default:
                if (!Annotations.Contains(keyword))
                    throw new PromptFunctionException($"{where}: is a keyword that answers are not checked for");
                break;
        }

        void Must(bool holds, string what)
        {
            if (!holds)
                throw new PromptFunctionException($"{where}: must be {what}");
        }
    }

    private static bool IsNumber(JsonElement value) => value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out var number) && double.IsFinite(number);

    private static bool IsPattern(string pattern)
    {
        try
        {
            return new Regex(pattern) is not null;
        }
        catch (ArgumentException)
        {
            return false;
        }
    }
}
