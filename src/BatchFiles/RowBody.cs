using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace LlmPipeline;

/// <summary>Changes to a request body that the user asked for; all that is not changed stays byte for byte.</summary>
internal static class RowBody
{
    /// <summary>The body as it is sent.</summary>
    /// <param name="body">The object as it stands in the file.</param>
    /// <param name="model">The model of a body that names none; null for one that does.</param>
    /// <param name="drop">Fields that are left out.</param>
    /// <param name="asChat">Whether the text in <c>prompt</c> becomes the message of a chat.</param>
    public static byte[] Make(ReadOnlySpan<byte> body, string? model, IReadOnlyCollection<string> drop, bool asChat)
    {
        if (drop.Count == 0 && !asChat && model is null) return body.ToArray();
        var made = new ArrayBufferWriter<byte>(body.Length + 64);
        if (model is not null) Add(made, "model"u8, JsonSerializer.SerializeToUtf8Bytes(model, Relaxed));
        var reader = new Utf8JsonReader(body, JsonText.Strict);
        reader.Read();
        if (drop.Count == 0 && !asChat)
        {
            made.Write(","u8);
            made.Write(body[1..]);
            return made.WrittenSpan.ToArray();
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var start = (int)reader.TokenStartIndex;
            var isDropped = JsonText.TryGet(ref reader, out var name) && drop.Contains(name);
            reader.Read();
            var value = (int)reader.TokenStartIndex;
            reader.Skip();
            var end = (int)reader.BytesConsumed;
            if (isDropped) continue;
            if (asChat && name == "prompt")
            {
                Add(made, "messages"u8, [.. "[{\"role\":\"user\",\"content\":"u8, .. body[value..end], .. "}]"u8]);
                continue;
            }

            made.Write(made.WrittenCount == 0 ? "{"u8 : ","u8);
            made.Write(body[start..end]);
        }

        made.Write(made.WrittenCount == 0 ? "{}"u8 : "}"u8);
        return made.WrittenSpan.ToArray();
    }

    private static readonly JsonSerializerOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private static void Add(ArrayBufferWriter<byte> made, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        made.Write(made.WrittenCount == 0 ? "{\""u8 : ",\""u8);
        made.Write(name);
        made.Write("\":"u8);
        made.Write(value);
    }
}
