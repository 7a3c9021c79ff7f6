using System.Globalization;
using System.Text.Json;

namespace LlmPipeline;

/// <summary>An answer as a response object: <see href="https://platform.openai.com/docs/api-reference/responses/object"/>.</summary>
internal static class ResponseBody
{
    /// <summary>Writes the fields of the object.</summary>
    /// <param name="json">Where.</param>
    /// <param name="answer">The answer.</param>
    /// <param name="isBegun">Whether it has only begun: without output and usage.</param>
    public static void WriteFields(Utf8JsonWriter json, Answer answer, bool isBegun = false)
    {
        json.WriteString("id"u8, Id("resp_sim", answer));
        json.WriteString("object"u8, "response"u8);
        json.WriteNumber("created_at"u8, answer.Created);
        json.WriteString("status"u8, isBegun ? "in_progress" : Status(answer));
        json.WriteNull("error"u8);
        if (!isBegun && answer.Choices[0].Cut)
        {
            json.WriteStartObject("incomplete_details"u8);
            json.WriteString("reason"u8, "max_output_tokens"u8);
            json.WriteEndObject();
        }
        else
        {
            json.WriteNull("incomplete_details"u8);
        }
        json.WriteString("model"u8, answer.Model);
        json.WriteStartArray("output"u8);
        if (!isBegun)
            WriteItem(json, answer, answer.Choices[0].Text, Status(answer));
        json.WriteEndArray();
        if (isBegun)
            json.WriteNull("usage"u8);
        else
            WriteUsage(json, answer);
    }

    /// <summary>The name of the event that ends a stream.</summary>
    public static string Status(Answer answer) => answer.Choices[0].Cut ? "incomplete" : "completed";

    /// <summary>Writes its one item: a message, or the call of a tool.</summary>
    /// <param name="json">Where.</param>
    /// <param name="answer">The answer.</param>
    /// <param name="text">What there is of the text, or of the arguments; null for no part of a message yet.</param>
    /// <param name="status">in_progress, completed or incomplete.</param>
    public static void WriteItem(Utf8JsonWriter json, Answer answer, string? text, string status)
    {
        json.WriteStartObject();
        json.WriteString("id"u8, ItemId(answer));
        json.WriteString("type"u8, answer.Request.CallsTool ? "function_call" : "message");
        json.WriteString("status"u8, status);
        if (answer.Request.CallsTool)
        {
            json.WriteString("call_id"u8, Id("call_sim", answer));
            json.WriteString("name"u8, answer.Request.Tools[0].Name);
            json.WriteString("arguments"u8, text ?? "");
        }
        else
        {
            json.WriteString("role"u8, "assistant"u8);
            json.WriteStartArray("content"u8);
            if (text is not null)
                WritePart(json, text);
            json.WriteEndArray();
        }
        json.WriteEndObject();
    }

    /// <summary>Writes the part of a message that is its text.</summary>
    public static void WritePart(Utf8JsonWriter json, string text)
    {
        json.WriteStartObject();
        json.WriteString("type"u8, "output_text"u8);
        json.WriteString("text"u8, text);
        json.WriteStartArray("annotations"u8);
        json.WriteEndArray();
        json.WriteEndObject();
    }

    /// <summary>The id of its one item.</summary>
    public static string ItemId(Answer answer) => Id(answer.Request.CallsTool ? "fc_sim" : "msg_sim", answer);

    private static string Id(string kind, Answer answer) => kind + answer.Id.ToString("x16", CultureInfo.InvariantCulture);

    private static void WriteUsage(Utf8JsonWriter json, Answer answer)
    {
        var (input, output) = (answer.Request.PromptTokens, answer.CompletionTokens);
        json.WriteStartObject("usage"u8);
        json.WriteNumber("input_tokens"u8, input);
        json.WriteStartObject("input_tokens_details"u8);
        json.WriteNumber("cached_tokens"u8, 0);
        json.WriteEndObject();
        json.WriteNumber("output_tokens"u8, output);
        json.WriteStartObject("output_tokens_details"u8);
        json.WriteNumber("reasoning_tokens"u8, 0);
        json.WriteEndObject();
        json.WriteNumber("total_tokens"u8, input + output);
        json.WriteEndObject();
    }
}
