using System.Buffers;
using System.Text;
using System.Text.Json;

namespace LlmPipeline;

/// <summary>JSON that fits a schema and depends only on it and a draw. Patterns, <c>not</c>, <c>uniqueItems</c> and what contradicts itself are not seen to.</summary>
internal ref struct SchemaText
{
    // Below it only what is required is written, so that a schema that holds itself comes to an end.
    private const int DeepEnough = 4;
    private const int TooDeep = 40;
    private const ulong MisfitStream = 0x3F;

    private readonly JsonElement _root;
    private readonly Utf8JsonWriter _json;
    private DrawSequence _draws;

    private SchemaText(ulong draw, JsonElement root, Utf8JsonWriter json)
    {
        _draws = new DrawSequence(draw);
        _root = root;
        _json = json;
    }

    /// <summary>An answer to a schema; a share of them does not fit it.</summary>
    public static string Compose(ulong draw, JsonElement schema, SimulatorOptions options, string promptHash)
    {
        var misfit = new DrawSequence(DrawSequence.Mix(draw, MisfitStream));
        if (misfit.NextDouble() >= options.MisfitShare)
            return Fitting(draw, schema);
        // Whoever asks for an array gets prose as well, since an array might fit.
        return misfit.Next(2) == 0 || !(schema.TryGetProperty("type"u8, out var type) && type.ValueKind == JsonValueKind.String && type.ValueEquals("object"u8))
            ? AnswerText.Compose(draw, options.AnswerWords, promptHash, json: false)
            : $"[{Fitting(draw, schema)}]";
    }

    /// <summary>JSON that fits, in ASCII.</summary>
    public static string Fitting(ulong draw, JsonElement schema)
    {
        var buffer = new ArrayBufferWriter<byte>(256);
        using (var json = new Utf8JsonWriter(buffer))
            new SchemaText(draw, schema, json).Write(schema, 0);
        return Encoding.ASCII.GetString(buffer.WrittenSpan);
    }

    private void Write(JsonElement schema, int depth)
    {
        if (depth > TooDeep || schema.ValueKind != JsonValueKind.Object)
            _json.WriteNullValue();
        else if (schema.TryGetProperty("$ref"u8, out var reference))
            Write(Resolve(reference.GetString() ?? ""), depth + 1);
        else if (schema.TryGetProperty("const"u8, out var one))
            one.WriteTo(_json);
        else if (schema.TryGetProperty("enum"u8, out var values) && values.GetArrayLength() > 0)
            values[_draws.Next(values.GetArrayLength())].WriteTo(_json);
        else if ((schema.TryGetProperty("anyOf"u8, out var any) || schema.TryGetProperty("oneOf"u8, out any)) && any.GetArrayLength() > 0)
            Write(any[depth < DeepEnough ? _draws.Next(any.GetArrayLength()) : Simplest(any)], depth + 1);
        else
            WriteType(schema, TypeOf(schema, depth), depth);
    }

    private void WriteType(JsonElement schema, string type, int depth)
    {
        switch (type)
        {
            case "object":
                WriteObject(schema, depth);
                break;
            case "array":
                var least = Count(schema, "minItems"u8, 0);
                var most = Count(schema, "maxItems"u8, least + 2);
                _json.WriteStartArray();
                for (var left = depth < DeepEnough ? least + _draws.Next(Math.Max(1, Math.Min(most, least + 2) - least + 1)) : least; left > 0; left--)
                    Write(schema.TryGetProperty("items"u8, out var items) ? items : default, depth + 1);
                _json.WriteEndArray();
                break;
            case "boolean":
                _json.WriteBooleanValue(_draws.Next(2) == 0);
                break;
            case "integer" or "number":
                _json.WriteNumberValue(Number(schema, type == "integer"));
                break;
            case "null":
                _json.WriteNullValue();
                break;
            default:
                _json.WriteStringValue(Text(schema));
                break;
        }
    }

    private void WriteObject(JsonElement schema, int depth)
    {
        // All parts of an allOf are one object.
        var parts = schema.TryGetProperty("allOf"u8, out var all) ? [schema, .. all.EnumerateArray()] : new[] { schema };
        var required = new HashSet<string>(StringComparer.Ordinal);
        var written = new HashSet<string>(StringComparer.Ordinal);
        for (var n = 0; n < parts.Length; n++)
            if (parts[n].TryGetProperty("$ref"u8, out var reference))
                parts[n] = Resolve(reference.GetString() ?? "");
        foreach (var part in parts)
            if (part.TryGetProperty("required"u8, out var names))
                required.UnionWith(names.EnumerateArray().Select(name => name.GetString()!));
        _json.WriteStartObject();
        foreach (var part in parts)
        {
            if (!part.TryGetProperty("properties"u8, out var properties))
                continue;
            foreach (var property in properties.EnumerateObject())
            {
                if ((!required.Contains(property.Name) && (depth >= DeepEnough || _draws.Next(2) == 0)) || !written.Add(property.Name))
                    continue;
                _json.WritePropertyName(property.Name);
                Write(property.Value, depth + 1);
            }
        }
        foreach (var name in required.Where(written.Add).Order(StringComparer.Ordinal))
            _json.WriteNull(name);
        _json.WriteEndObject();
    }

    private decimal Number(JsonElement schema, bool isWhole)
    {
        var step = Decimal(schema, "multipleOf"u8) ?? (isWhole ? 1m : 0.25m);
        if (isWhole && step % 1 != 0)
            step = 1;
        var min = Decimal(schema, "minimum"u8) ?? (Decimal(schema, "exclusiveMinimum"u8) is { } above ? above + step : null);
        var max = Decimal(schema, "maximum"u8) ?? (Decimal(schema, "exclusiveMaximum"u8) is { } below ? below - step : null);
        // The first multiple within the bounds, and from there up to a hundred more.
        var first = Math.Ceiling((min ?? (max is { } most ? Math.Min(0, most) : 0)) / step);
        var last = max is { } top ? Math.Min(Math.Floor(top / step), first + 100) : first + 100;
        return (first + _draws.Next((int)Math.Max(1, last - first + 1))) * step;
    }

    private string Text(JsonElement schema)
    {
        var format = schema.TryGetProperty("format"u8, out var named) && named.ValueKind == JsonValueKind.String ? named.GetString() : null;
        var n = _draws.Next(28) + 1;
        switch (format)
        {
            case "date":
                return $"2024-02-{n:00}";
            case "date-time":
                return $"2024-02-{n:00}T12:00:00Z";
            case "time":
                return $"12:{n:00}:00";
            case "email":
                return $"someone{n}@example.org";
            case "uri":
                return $"https://example.org/{n}";
            case "uuid" or "guid":
                return $"00000000-0000-4000-8000-0000000000{n:00}";
            case "ipv4":
                return $"192.0.2.{n}";
        }
        var text = AnswerText.Words(ref _draws, 1 + _draws.Next(3));
        var least = Count(schema, "minLength"u8, 0);
        while (text.Length < least)
            text += " " + text;
        return text[..Math.Min(text.Length, Count(schema, "maxLength"u8, int.MaxValue))];
    }

    private readonly JsonElement Resolve(string reference)
    {
        var found = _root;
        foreach (var name in reference.Split('/').Skip(1))
        {
            var key = Uri.UnescapeDataString(name).Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal);
            if (found.ValueKind != JsonValueKind.Object || !found.TryGetProperty(key, out found))
                return default;
        }
        return found;
    }

    private string TypeOf(JsonElement schema, int depth)
    {
        if (schema.TryGetProperty("type"u8, out var type) && type.ValueKind == JsonValueKind.String)
            return type.GetString()!;
        if (type.ValueKind == JsonValueKind.Array && type.GetArrayLength() > 0)
            return depth >= DeepEnough && type.EnumerateArray().Any(one => one.ValueEquals("null"u8)) ? "null" : type[_draws.Next(type.GetArrayLength())].GetString() ?? "null";
        return schema.TryGetProperty("properties"u8, out _) || schema.TryGetProperty("allOf"u8, out _) || schema.TryGetProperty("required"u8, out _) ? "object"
            : schema.TryGetProperty("items"u8, out _) ? "array" : "string";
    }

    // One that holds no more, where there is one: null above all.
    private static int Simplest(JsonElement schemas)
    {
        for (var n = 0; n < schemas.GetArrayLength(); n++)
            if (schemas[n].ValueKind == JsonValueKind.Object && schemas[n].TryGetProperty("type"u8, out var type) && type.ValueKind == JsonValueKind.String && type.GetString() is not ("object" or "array"))
                return n;
        return 0;
    }

    private static int Count(JsonElement schema, ReadOnlySpan<byte> name, int otherwise) =>
        schema.TryGetProperty(name, out var count) && count.ValueKind == JsonValueKind.Number && count.TryGetInt32(out var value) ? value : otherwise;

    private static decimal? Decimal(JsonElement schema, ReadOnlySpan<byte> name) =>
        schema.TryGetProperty(name, out var number) && number.ValueKind == JsonValueKind.Number && number.TryGetDecimal(out var value) ? value : null;
}
