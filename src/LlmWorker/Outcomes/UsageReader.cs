using System.Text.Json;

namespace LlmPipeline;

/// <summary>
/// Reads the tokens of an answer, wherever and however a provider reports them. docs/costs.md lists the shapes with their sources. It reads
/// along with the pass over the body's top level that is made anyway.
/// </summary>
internal struct UsageReader
{
    private UsageCounts _usage;
    private UsageCounts _choices;
    private UsageCounts _elsewhere;

    /// <summary>The tokens; zeros when the body has none that can be true.</summary>
    public readonly TokenUsage Usage => Counts.Sum();

    /// <summary>Whether they are a total alone: of embeddings their input, else of prompt and completion.</summary>
    public readonly bool IsTotalOnly => Counts.IsTotalOnly;

    private readonly UsageCounts Counts => _usage.IsEmpty ? _choices.IsEmpty ? _elsewhere : _choices : _usage;

    /// <summary>Reads over the value of a top-level field.</summary>
    /// <param name="reader">At the field's name, and afterwards at the last token of its value.</param>
    /// <exception cref="JsonException">The value is no JSON; what was read before it counts.</exception>
    public void ReadField(ref Utf8JsonReader reader)
    {
        if (reader.IsText("choices"u8))
        {
            reader.Read();
            ReadChoices(ref reader);
        }
        else if (reader.IsText("usage"u8) || reader.IsText("usageMetadata"u8) || reader.IsText("token_usage"u8))
        {
            reader.Read();
            ReadObject(ref reader, ref _usage);
        }
        else if (reader.IsText("x_groq"u8) || reader.IsText("meta"u8) || reader.IsText("metadata"u8))
        {
            reader.Read();
            ReadWithin(ref reader, ref _elsewhere);
        }
        else
        {
            _elsewhere.ReadField(ref reader, isTop: true);
        }
    }

    /// <summary>The tokens of a body that is no JSON as a whole: of the last object in it that is named usage.</summary>
    public static TokenUsage Find(ReadOnlySpan<byte> body)
    {
        var name = "\"usage\""u8;
        for (var at = body.LastIndexOf(name); at >= 0; at = body[..at].LastIndexOf(name))
        {
            // Within a text, the quotes of such a name are escaped.
            if (at > 0 && body[at - 1] == (byte)'\\')
                continue;
            var rest = body[(at + name.Length)..].TrimStart(" \t\r\n"u8);
            if (rest.IsEmpty || rest[0] != (byte)':')
                continue;
            var counts = default(UsageCounts);
            var reader = new Utf8JsonReader(rest[1..], isFinalBlock: true, default);
            try
            {
                if (reader.Read())
                    ReadObject(ref reader, ref counts);
            }
            catch (JsonException)
            {
                // What was read before it counts.
            }

            if (counts.Sum() is { Total: > 0 } usage)
                return usage;
        }

        return default;
    }

    // Some wrap it into a list.
    private static void ReadObject(ref Utf8JsonReader reader, ref UsageCounts counts)
    {
        if (reader.TokenType == JsonTokenType.StartArray)
        {
            while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
                ReadObject(ref reader, ref counts);
            return;
        }

        if (reader.TokenType != JsonTokenType.StartObject)
        {
            reader.Skip();
            return;
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            counts.ReadField(ref reader, isTop: false);
    }

    // Moonshot reports the usage in the choice that it belongs to; each of several reports that of the whole request.
    private void ReadChoices(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartArray)
        {
            reader.Skip();
            return;
        }

        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
            ReadWithin(ref reader, ref _choices);
    }

    private static void ReadWithin(ref Utf8JsonReader reader, ref UsageCounts counts)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            reader.Skip();
            return;
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var isUsage = reader.IsText("usage"u8) || reader.IsText("billed_units"u8);
            reader.Read();
            if (isUsage)
                ReadObject(ref reader, ref counts);
            else
                reader.Skip();
        }
    }
}
