using System.Runtime.InteropServices;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
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
        CheckType(request);
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

    /// <summary>Reads a body that is one object, or a list of them; what is wrong with one of a list is told by its place, such as <c>[2].model</c>.</summary>
    /// <param name="body">The body, which must stay as it is until the objects are disposed of.</param>
    /// <param name="most">Objects in a list at most.</param>
    /// <returns>The objects, all to be disposed of with the first, and whether they were a list.</returns>
    /// <exception cref="ApiException">It is neither, has too many, names a field twice, or is nested too deeply.</exception>
    public static (IReadOnlyList<JsonFields> Objects, bool IsList) ReadSome(ReadOnlyMemory<byte> body, int most)
    {
        JsonDocument document;
        try
        {
            document =
                JsonDocument.Parse(body, new JsonDocumentOptions { AllowDuplicateProperties = false, MaxDepth = RequestBytes.MaxDepth });
        }
        catch (JsonException e)
        {
            throw ApiError.Invalid(null, $"The body is not valid JSON: {e.Message}").Thrown(e);
        }
        catch (InvalidOperationException e)
        {
            throw HalfName(null, e);
        }

        var root = document.RootElement;
        var count = root.ValueKind == JsonValueKind.Array ? root.GetArrayLength() : 1;
        if (count > 0 && count <= most && root.ValueKind is JsonValueKind.Object or JsonValueKind.Array)
        {
            var list = root.ValueKind == JsonValueKind.Array ? [.. root.EnumerateArray()] : new List<JsonElement> { root };
            if (list.FindIndex(item => item.ValueKind != JsonValueKind.Object) is var wrong and >= 0)
            {
                document.Dispose();
                throw ApiError.Invalid($"[{wrong}]", $"'[{wrong}]' must be an object.").Thrown();
            }

            return ([.. list.Select((item, n) => new JsonFields(document, item, root.ValueKind == JsonValueKind.Array ? $"[{n}]." : ""))], root.ValueKind == JsonValueKind.Array);
        }

        document.Dispose();
        throw ApiError.Invalid(null, $"The body must be a JSON object, or a list of 1 to {most} of them.").Thrown();
    }

    /// <summary>To be thrown for a field that is wrong.</summary>
    /// <param name="name">The field.</param>
    /// <param name="what">What is wrong with it, such as <c>must be a lane</c>.</param>
    /// <param name="code">For programs; null for none.</param>
    public ApiException Wrong(string name, string what, string? code = null) => ApiError.Invalid(_path + name, $"'{_path}{name}' {what}.", code).Thrown();

    /// <summary>A number; null when it is not there.</summary>
    /// <exception cref="ApiException">It is something else.</exception>
    public double? Real(string name) => Find(name) switch
    {
        null => null,
        { ValueKind: JsonValueKind.Number } value when value.TryGetDouble(out var number) && double.IsFinite(number) => number,
        _ => throw Wrong(name, "must be a number"),
    };

    /// <summary>Whether a switch is on; false when it is not there.</summary>
    /// <exception cref="ApiException">It is something else.</exception>
    public bool Flag(string name) => Find(name) switch
    {
        null or { ValueKind: JsonValueKind.False } => false,
        { ValueKind: JsonValueKind.True } => true,
        _ => throw Wrong(name, "must be true or false"),
    };

    /// <summary>A field's name with its place in the body, such as <c>[2].model</c>.</summary>
    public string Name(string name) => _path + name;

    /// <summary>Where the object stands in the body, such as <c>[2]</c>; null for the body itself.</summary>
    public string? Path => _path.Length > 0 ? _path.TrimEnd('.') : null;

    /// <summary>The object as it came, UTF-8.</summary>
    public ReadOnlySpan<byte> Raw => JsonMarshal.GetRawUtf8Value(_object);

    /// <summary>Whether a field is there and not null.</summary>
    public bool Has(string name) => Find(name) is not null;

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

    /// <exception cref="ApiException">The body does not say that it is JSON, or is larger than it may be.</exception>
    public static void CheckType(HttpRequest request)
    {
        if (!MediaTypeHeaderValue.TryParse(request.ContentType, out var type) || !type.MediaType.Equals("application/json", StringComparison.OrdinalIgnoreCase))
            throw ApiError.Invalid(null, "The body must be JSON, with the Content-Type application/json.").Thrown();
        // Kestrel's own refusal cuts the connection off, and a client that is still sending would not see the answer.
        if (request.HttpContext.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false, MaxRequestBodySize: { } most } limit && request.ContentLength > most)
        {
            limit.MaxRequestBodySize = null;
            throw ApiError.TooLarge($"The body has {request.ContentLength} bytes, the most is {most}.").Thrown();
        }
    }

    private JsonElement? Find(string name)
    {
        try
        {
            return _object.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;
        }
        catch (InvalidOperationException e)
        {
            throw HalfName(Path, e);
        }
    }

    private static ApiException HalfName(string? param, InvalidOperationException e) =>
        ApiError.Invalid(param, "A field's name holds half of a surrogate pair.").Thrown(e);

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
