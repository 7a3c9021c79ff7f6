using System.Buffers;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace LlmPipeline;

/// <summary>
/// A whole answer as the one event of a stream. Names and values are copied as they came: decoded, half a surrogate pair would be lost.
/// </summary>
/// <param name="usage">Whether the tokens are reported too.</param>
internal sealed class WholeAsEvent(bool usage)
{
    private readonly ArrayBufferWriter<byte> _json = new();
    private bool _isFirst = true;

    /// <param name="path">The path of the call.</param>
    /// <param name="answer">The answer that a call without stream would have had.</param>
    /// <returns>The event's name, null for none, and its data.</returns>
    public (string? Name, string Data) Of(string path, JsonElement answer)
    {
        if (path == "/v1/responses")
        {
            _json.Write("{\"type\":\"response.completed\",\"sequence_number\":0,\"response\":"u8);
            _json.Write(JsonMarshal.GetRawUtf8Value(answer));
            _json.Write("}"u8);
            return ("response.completed", Text());
        }

        WriteObject(answer, field => Is(field, "usage"u8) ? !usage : WriteAnswerField(field));
        return (null, Text());
    }

    // As it is written: the reader's own comparison throws at half a surrogate pair.
    private static bool Is(JsonProperty field, ReadOnlySpan<byte> name) => JsonMarshal.GetRawUtf8PropertyName(field).SequenceEqual(name);

    private string Text() => Encoding.UTF8.GetString(_json.WrittenSpan);

    private bool WriteAnswerField(JsonProperty field)
    {
        if (Is(field, "object"u8) && JsonMarshal.GetRawUtf8Value(field.Value).SequenceEqual("\"chat.completion\""u8))
            WriteField("\"object\":\"chat.completion.chunk\""u8);
        else if (Is(field, "choices"u8) && field.Value.ValueKind == JsonValueKind.Array)
            WriteList("\"choices\":"u8, field.Value, (choice, _) => WriteObject(choice, WriteChoiceField));
        else
            return false;
        return true;
    }

    private bool WriteChoiceField(JsonProperty field)
    {
        if (!Is(field, "message"u8))
            return false;
        WriteField("\"delta\":"u8);
        if (field.Value.ValueKind == JsonValueKind.Object)
            WriteObject(field.Value, WriteMessageField);
        else
            _json.Write(JsonMarshal.GetRawUtf8Value(field.Value));
        return true;
    }

    // In a stream each tool call has its index.
    private bool WriteMessageField(JsonProperty field)
    {
        if (!Is(field, "tool_calls"u8) || field.Value.ValueKind != JsonValueKind.Array)
            return false;
        WriteList("\"tool_calls\":"u8, field.Value, (call, place) =>
            WriteObject(call, part => Is(part, "index"u8), string.Create(CultureInfo.InvariantCulture, $"\"index\":{place}")));
        return true;
    }

    private void WriteList(ReadOnlySpan<byte> name, JsonElement list, Action<JsonElement, int> write)
    {
        WriteField(name);
        _json.Write("["u8);
        var place = 0;
        foreach (var item in list.EnumerateArray())
        {
            if (place > 0)
                _json.Write(","u8);
            if (item.ValueKind == JsonValueKind.Object)
                write(item, place);
            else
                _json.Write(JsonMarshal.GetRawUtf8Value(item));
            place++;
        }

        _json.Write("]"u8);
        _isFirst = false;
    }

    /// <param name="element">The object.</param>
    /// <param name="writes">Writes a field in another way, or leaves it out: then true.</param>
    /// <param name="begin">A field of ours that comes first; null for none.</param>
    private void WriteObject(JsonElement element, Func<JsonProperty, bool> writes, string? begin = null)
    {
        _json.Write("{"u8);
        _isFirst = true;
        if (begin is not null)
            WriteField(Encoding.UTF8.GetBytes(begin));
        foreach (var field in element.EnumerateObject())
        {
            if (writes(field))
                continue;
            WriteField("\""u8);
            _json.Write(JsonMarshal.GetRawUtf8PropertyName(field));
            _json.Write("\":"u8);
            _json.Write(JsonMarshal.GetRawUtf8Value(field.Value));
        }

        _json.Write("}"u8);
        _isFirst = false;
    }

    private void WriteField(ReadOnlySpan<byte> begin)
    {
        if (!_isFirst)
            _json.Write(","u8);
        _isFirst = false;
        _json.Write(begin);
    }
}
