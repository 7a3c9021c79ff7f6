using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Newtonsoft.Json;
using NJsonSchema;
using NJsonSchema.Validation;
using JsonException = System.Text.Json.JsonException;

namespace LlmPipeline;

/// <summary>The JSON schema of <c>response_format</c>, which answers are checked against. Immutable and safe for many threads.</summary>
/// <remarks>The keywords are those of <see cref="AnswerSchemaRules"/>; a schema with any other is refused, so that none is passed over in silence.</remarks>
public sealed class AnswerSchema
{
    private const int MostFaults = 10;
    private const int LongestPath = 100;

    private readonly JsonSchema _schema;

    private AnswerSchema(JsonSchema schema, IReadOnlyList<string> fields) => (_schema, Fields) = (schema, fields);

    /// <summary>The fields that answers have at their top, in the order of the schema; empty when they are no objects.</summary>
    public IReadOnlyList<string> Fields { get; }

    /// <summary>Reads a schema.</summary>
    /// <param name="where">For messages: the file and field that it stands in.</param>
    /// <param name="schema">The schema.</param>
    /// <exception cref="PromptFunctionException">It is no valid schema, or has a keyword that is not checked.</exception>
    internal static AnswerSchema Parse(string where, JsonElement schema)
    {
        AnswerSchemaRules.Check(where, schema);
        try
        {
            // Nothing is fetched, since references outside of the schema are refused: so it is done when the call returns.
            var parsed = JsonSchema.FromJsonAsync(WithoutConst(JsonNode.Parse(schema.GetRawText())!).ToJsonString()).GetAwaiter().GetResult();
            // What it leaves for the first use, such as a reference in a circle, comes to light here.
            parsed.Validate("null");
            return new AnswerSchema(parsed, schema.ValueKind == JsonValueKind.Object && schema.TryGetProperty("properties", out var fields)
                ? [.. fields.EnumerateObject().Select(field => field.Name)] : []);
        }
        catch (Exception e) when (e is InvalidOperationException or ArgumentException or Newtonsoft.Json.JsonException or NotSupportedException)
        {
            throw new PromptFunctionException($"{where}: {string.Join(' ', e.Message.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries))}", e);
        }
    }

    /// <summary>What is wrong with an answer, a line a fault with its place, such as <c>#/label: not in enumeration</c>; empty when it fits. Values are not repeated.</summary>
    public IReadOnlyList<string> Faults(string answer)
    {
        try
        {
            // The reader of NJsonSchema takes more for JSON than JSON is.
            using var document = JsonDocument.Parse(answer);
        }
        catch (JsonException e)
        {
            return [$"not JSON (line {e.LineNumber + 1}, byte {e.BytePositionInLine + 1})"];
        }
        catch (ArgumentException)
        {
            return ["not JSON (half a surrogate pair)"];
        }
        try
        {
            return [.. Flat(_schema.Validate(answer)).Distinct(StringComparer.Ordinal).Take(MostFaults)];
        }
        catch (JsonReaderException)
        {
            return ["not JSON that can be checked"];
        }
    }

    private static IEnumerable<string> Flat(IEnumerable<ValidationError> errors)
    {
        foreach (var error in errors)
        {
            // Of several schemas none fits: then what each of them misses says less than that. Of an item or a property it is the other way round.
            if (error is ChildSchemaValidationError { Kind: ValidationErrorKind.ArrayItemNotValid or ValidationErrorKind.AdditionalPropertiesNotValid or ValidationErrorKind.NotAllOf } inner)
                foreach (var fault in Flat(inner.Errors.Values.SelectMany(list => list)))
                    yield return fault;
            else
                yield return $"{Place(error.Path)}: {Words(error.Kind)}";
        }
    }

    private static string Place(string? path)
    {
        var place = string.IsNullOrEmpty(path) ? "#/" : path;
        return place.Length <= LongestPath ? place : string.Concat(place.AsSpan(0, LongestPath), "…");
    }

    // NoAdditionalPropertiesAllowed → no additional properties allowed
    private static string Words(ValidationErrorKind kind)
    {
        var words = new StringBuilder();
        foreach (var letter in kind.ToString())
            words.Append(char.IsUpper(letter) && words.Length > 0 ? " " : "").Append(char.ToLowerInvariant(letter));
        return words.ToString();
    }

    // NJsonSchema does not know const; an enum of one says the same.
    private static JsonNode WithoutConst(JsonNode schema)
    {
        foreach (var one in AnswerSchemaRules.Within(schema))
        {
            if (!one.ContainsKey("const"))
                continue;
            one["enum"] = new JsonArray(one["const"]?.DeepClone());
            one.Remove("const");
        }
        return schema;
    }
}
