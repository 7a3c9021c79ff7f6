using System.Text.Json;

namespace LlmPipeline;

/// <summary>The JSON of the limits: <c>{"rpm":500,"tpm":null}</c>.</summary>
internal static class LimitsBody
{
    /// <summary>Reads what is there over what was before; false when it is not as it must be.</summary>
    public static bool TryRead(byte[] body, ref long? requests, ref long? tokens)
    {
        try
        {
            using var document = JsonDocument.Parse(body);
            return document.RootElement.ValueKind == JsonValueKind.Object
                && TryRead(document.RootElement, "rpm", ref requests)
                && TryRead(document.RootElement, "tpm", ref tokens);
        }
        catch (JsonException)
        {
            return false;
        }
    }

    /// <summary>Writes one limit.</summary>
    public static void Write(Utf8JsonWriter json, string name, long? limit)
    {
        if (limit is { } number)
            json.WriteNumber(name, number);
        else
            json.WriteNull(name);
    }

    private static bool TryRead(JsonElement limits, string name, ref long? limit)
    {
        if (!limits.TryGetProperty(name, out var value))
            return true;
        if (value.ValueKind == JsonValueKind.Null)
        {
            limit = null;
            return true;
        }
        if (value.ValueKind != JsonValueKind.Number || !value.TryGetInt64(out var number) || number < 1)
            return false;
        limit = number;
        return true;
    }
}
