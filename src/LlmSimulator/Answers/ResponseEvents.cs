using System.Text;
using System.Text.Json;

namespace LlmPipeline;

/// <summary>A response as the typed events of a stream: <see href="https://platform.openai.com/docs/api-reference/responses-streaming"/>. The last one carries the whole.</summary>
internal sealed class ResponseEvents
{
    private readonly List<ReadOnlyMemory<byte>> _events = [];
    private readonly Answer _answer;
    private readonly JsonBody _json;

    private ResponseEvents(Answer answer, JsonBody json) => (_answer, _json) = (answer, json);

    /// <summary>The events, each with the blank line after it.</summary>
    public static List<ReadOnlyMemory<byte>> Of(Answer answer, JsonBody json)
    {
        var events = new ResponseEvents(answer, json);
        events.Add("response.created", json => WriteResponse(json, answer, isBegun: true));
        events.AddItem();
        events.Add($"response.{ResponseBody.Status(answer)}", json => WriteResponse(json, answer, isBegun: false));
        return events._events;
    }

    private static void WriteResponse(Utf8JsonWriter json, Answer answer, bool isBegun)
    {
        json.WriteStartObject("response"u8);
        ResponseBody.WriteFields(json, answer, isBegun);
        json.WriteEndObject();
    }

    private void AddItem()
    {
        var text = _answer.Choices[0].Text;
        Add("response.output_item.added", json => WriteItem(json, null, "in_progress"));
        if (_answer.Request.CallsTool)
        {
            AddOfItem("response.function_call_arguments.delta", "delta", text);
            AddOfItem("response.function_call_arguments.done", "arguments", text);
        }
        else
        {
            Add("response.content_part.added", json => WritePart(json, ""));
            foreach (var word in AnswerEvents.Words(text))
                AddOfItem("response.output_text.delta", "delta", word);
            AddOfItem("response.output_text.done", "text", text);
            Add("response.content_part.done", json => WritePart(json, text));
        }
        Add("response.output_item.done", json => WriteItem(json, text, ResponseBody.Status(_answer)));
    }

    private void AddOfItem(string type, string field, string value) => Add(type, json =>
    {
        WritePlace(json);
        json.WriteString(field, value);
    });

    private void WriteItem(Utf8JsonWriter json, string? text, string status)
    {
        json.WriteNumber("output_index"u8, 0);
        json.WritePropertyName("item"u8);
        ResponseBody.WriteItem(json, _answer, text, status);
    }

    private void WritePart(Utf8JsonWriter json, string text)
    {
        WritePlace(json);
        json.WritePropertyName("part"u8);
        ResponseBody.WritePart(json, text);
    }

    private void WritePlace(Utf8JsonWriter json)
    {
        json.WriteString("item_id"u8, ResponseBody.ItemId(_answer));
        json.WriteNumber("output_index"u8, 0);
        if (!_answer.Request.CallsTool)
            json.WriteNumber("content_index"u8, 0);
    }

    private void Add(string type, Action<Utf8JsonWriter> fields)
    {
        var body = _json.Compose((type, fields, Number: _events.Count), static (json, state) =>
        {
            json.WriteStartObject();
            json.WriteString("type"u8, state.type);
            json.WriteNumber("sequence_number"u8, state.Number);
            state.fields(json);
            json.WriteEndObject();
        });
        _events.Add((byte[])[.. "event: "u8, .. Encoding.UTF8.GetBytes(type), .. "\ndata: "u8, .. body.Span, .. "\n\n"u8]);
    }
}
