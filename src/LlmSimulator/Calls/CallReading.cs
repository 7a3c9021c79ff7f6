using System.Text;
using System.Text.Json;

namespace LlmPipeline;

/// <summary>A request that is being read: what was found so far, and the first problem.</summary>
internal sealed class CallReading(CallKind kind, TokenMeter meter)
{
    public CallKind Kind { get; } = kind;

    public TokenMeter Meter { get; } = meter;

    public CallRequest Request { get; } = new();

    /// <summary>The text of the prompt, collected.</summary>
    public JsonText Text { get; } = new();

    /// <summary>The first problem; null when there is none.</summary>
    public CallProblem? Problem { get; private set; }

    public bool HasPrompt { get; set; }

    /// <summary>The field of the prompt.</summary>
    public string PromptName => Kind switch
    {
        CallKind.Chat => "messages",
        CallKind.Completion => "prompt",
        _ => "input",
    };

    /// <summary>The string that follows a field's name; null for null and for what is no string, which is a problem.</summary>
    public string? ReadName(ref Utf8JsonReader reader, string field)
    {
        reader.Read();
        if (reader.TokenType == JsonTokenType.Null)
            return null;
        if (reader.TokenType != JsonTokenType.String)
        {
            Invalid(ref reader, field, "a string");
            return null;
        }
        var name = new JsonText();
        return Encoding.UTF8.GetString(name.Append(ref reader));
    }

    /// <summary>
    /// The integer that follows a field's name; null for null and for what is none within the bounds, which is a problem.
    /// </summary>
    public int? ReadNumber(ref Utf8JsonReader reader, string field, int min, int max)
    {
        reader.Read();
        if (reader.TokenType == JsonTokenType.Null)
            return null;
        if (reader.TokenType == JsonTokenType.Number && reader.TryGetInt32(out var number) && number >= min && number <= max)
            return number;
        Invalid(ref reader, field, $"an integer from {min} to {max}");
        return null;
    }

    /// <summary>Skips the value that follows a field's name.</summary>
    public static void SkipValue(ref Utf8JsonReader reader)
    {
        reader.Read();
        reader.Skip();
    }

    /// <summary>The value at the reader has a type that its field does not take; it is skipped.</summary>
    public void Invalid(ref Utf8JsonReader reader, string field, string expected)
    {
        Wrong(field, $"Invalid value for '{field}': expected {expected}.", "invalid_type");
        reader.Skip();
    }

    /// <summary>Notes a problem, if it is the first.</summary>
    public void Wrong(string? field, string message, string? code = null) => Problem ??= new(400, message, field, code);
}
