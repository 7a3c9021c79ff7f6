using System.Globalization;
using System.Text.Json;

namespace LlmPipeline;

/// <summary>An answer as the events of a stream, as OpenAI sends them. A completion: a role, the text word by word, how it ended, and the usage when asked for.</summary>
internal static class AnswerEvents
{
    /// <summary>The events, each with the blank line after it.</summary>
    public static List<ReadOnlyMemory<byte>> Of(Answer answer, JsonBody json)
    {
        if (answer.Kind == CallKind.Response)
            return ResponseEvents.Of(answer, json);
        var events = new List<ReadOnlyMemory<byte>>();
        var chat = answer.Kind == CallKind.Chat;
        for (var n = 0; n < answer.Choices.Length; n++)
        {
            var (text, _, cut) = answer.Choices[n];
            if (chat)
                Add(n, null, null, role: true);
            foreach (var part in answer.Request.CallsTool ? [text] : Words(text))
                Add(n, part, null);
            Add(n, null, answer.FinishReason(cut));
        }

        if (answer.Request.StreamUsage)
            events.Add(Event(json.Compose(answer, static (writer, a) => Write(writer, a, null))));
        events.Add("data: [DONE]\n\n"u8.ToArray());
        return events;

        void Add(int choice, string? text, string? finish, bool role = false) =>
            events.Add(Event(json.Compose((answer, (choice, text, finish, role)), static (writer, s) => Write(writer, s.answer, s.Item2))));
    }

    /// <summary>The words of a text; one goes with the blank before it, as tokens do.</summary>
    public static IEnumerable<string> Words(string text)
    {
        for (var from = 0; from < text.Length;)
        {
            var next = text.IndexOf(' ', from + 1);
            var to = next < 0 ? text.Length : next;
            yield return text[from..to];
            from = to;
        }
    }

    private static ReadOnlyMemory<byte> Event(ReadOnlyMemory<byte> body) => (byte[])[.. "data: "u8, .. body.Span, .. "\n\n"u8];

    private static void Write(Utf8JsonWriter json, Answer answer, (int Index, string? Text, string? Finish, bool Role)? choice)
    {
        var chat = answer.Kind == CallKind.Chat;
        json.WriteStartObject();
        json.WriteString("id"u8, (chat ? "chatcmpl-sim" : "cmpl-sim") + answer.Id.ToString("x16", CultureInfo.InvariantCulture));
        json.WriteString("object"u8, chat ? "chat.completion.chunk"u8 : "text_completion"u8);
        json.WriteNumber("created"u8, answer.Created);
        json.WriteString("model"u8, answer.Model);
        json.WriteString("system_fingerprint"u8, "fp_simulated"u8);
        json.WriteStartArray("choices"u8);
        if (choice is { } one)
            WriteChoice(json, answer, one, chat);
        json.WriteEndArray();
        if (choice is null)
            answer.WriteUsage(json);
        else if (answer.Request.StreamUsage)
            json.WriteNull("usage"u8);
        json.WriteEndObject();
    }

    private static void WriteChoice(Utf8JsonWriter json, Answer answer, (int Index, string? Text, string? Finish, bool Role) choice, bool chat)
    {
        json.WriteStartObject();
        json.WriteNumber("index"u8, choice.Index);
        if (chat)
        {
            json.WriteStartObject("delta"u8);
            if (choice.Role)
            {
                json.WriteString("role"u8, "assistant"u8);
                json.WriteString("content"u8, ""u8);
                json.WriteNull("refusal"u8);
            }
            else if (choice.Text is { } arguments && answer.Request.CallsTool)
            {
                answer.WriteToolCalls(json, choice.Index, arguments, streamed: true);
            }
            else if (choice.Text is { } text)
            {
                json.WriteString("content"u8, text);
            }
            json.WriteEndObject();
        }
        else
        {
            json.WriteString("text"u8, choice.Text ?? "");
        }
        json.WriteNull("logprobs"u8);
        json.WriteString("finish_reason"u8, choice.Finish);
        json.WriteEndObject();
    }
}
