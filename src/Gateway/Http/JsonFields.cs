using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;

namespace LlmPipeline;

/// <summary>The fields of a JSON object that a call brings; what is wrong with one is told by its name.</summary>
internal sealed class JsonFields : IDisposable
{
    private readonly JsonDocument _document;
    private readonly JsonElement _object;
    private readonly string _path;

    private JsonFields(JsonDocument document, JsonElement value, string path)
    {
        _document = document;
        _object = value;
        _path = path;
    }

    /// <summary>Reads the body of a call.</summary>
    /// <exception cref="ApiException">It is no JSON object, or nested too deeply.</exception>
    public static async Task<JsonFields> ReadAsync(HttpRequest request, CancellationToken cancellationToken)
    {
        if (!MediaTypeHeaderValue.TryParse(request.ContentType, out var type) || !type.MediaType.Equals("application/json", StringComparison.OrdinalIgnoreCase))
            throw ApiError.Invalid(null, "The body must be JSON, with the Content-Type application/json.").Thrown();
        try
        {
            var document = await JsonDocument.ParseAsync(request.Body, cancellationToken: cancellationToken);
            if (document.RootElement.ValueKind == JsonValueKind.Object)
                return new JsonFields(document, document.RootElement, "");
            document.Dispose();
            throw ApiError.Invalid(null, "The body must be a JSON object.").Thrown();
        }
        catch (JsonException e)
        {
            throw ApiError.Invalid(null, $"The body is not valid JSON: {e.Message}").Thrown(e);
        }
    }

    /// <summary>The fields that are there and not null: name and value.</summary>
    public IEnumerable<(string Name, JsonElement Value)> All()
    {
        foreach (var property in _object.EnumerateObject())
            yield return (TextOf(null, () => property.Name), property.Value);
    }

    /// <summary>A text; null when it is not there.</summary>
    /// <exception cref="ApiException">It is something else.</exception>
    public string? Text(string name) => Find(name) switch
    {
        null => null,
        { ValueKind: JsonValueKind.String } value => TextOf(_path + name, value.GetString!),
        _ => throw ApiError.Invalid(_path + name, $"'{_path}{name}' must be a string.").Thrown(),
    };

    /// <summary>A text that must be there.</summary>
    /// <exception cref="ApiException">It isn't, or is something else.</exception>
    public string Required(string name) => Text(name) ?? throw ApiError.Invalid(_path + name, $"'{_path}{name}' is missing.", "missing_required_parameter").Thrown();

    /// <summary>A whole number; null when it is not there.</summary>
    /// <exception cref="ApiException">It is something else.</exception>
    public long? Number(string name) => Find(name) switch
    {
        null => null,
        { ValueKind: JsonValueKind.Number } value when value.TryGetInt64(out var number) => number,
        _ => throw ApiError.Invalid(_path + name, $"'{_path}{name}' must be a whole number.").Thrown(),
    };

    /// <summary>An object; null when it is not there. It ends with this one.</summary>
    /// <exception cref="ApiException">It is something else.</exception>
    public JsonFields? Object(string name) => Find(name) switch
    {
        null => null,
        { ValueKind: JsonValueKind.Object } value => new JsonFields(_document, value, $"{_path}{name}."),
        _ => throw ApiError.Invalid(_path + name, $"'{_path}{name}' must be an object.").Thrown(),
    };

    public void Dispose() => _document.Dispose();

    private JsonElement? Find(string name) => _object.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;

    // Half a surrogate pair is valid JSON, but no text.
    private static string TextOf(string? param, Func<string> read)
    {
        try
        {
            return read();
        }
        catch (InvalidOperationException e)
        {
            throw ApiError.Invalid(param, "A text holds half of a surrogate pair.").Thrown(e);
        }
    }
}
