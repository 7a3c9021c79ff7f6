using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace LlmPipeline;

/// <summary>A prompt as a line of plain text: the whole line, white space included, is the user's message of a chat.</summary>
internal sealed class RowText(InputOptions options) : RowParser(options)
{
    // JSON makes at most six bytes of one: \u0001.
    private const int MaxGrowth = 6;

    private readonly ArrayBufferWriter<byte> _body = new();

    // The body of an empty line: what every body takes beside its text.
    private int _around;

    public override RowFault? Parse(ReadOnlySpan<byte> line, RowPlace place, bool whole, out InputRow? row)
    {
        row = null;
        if (_around == 0) _around = Write([]).Length;
        var body = ReadOnlySpan<byte>.Empty;
        if (whole || _around + ((long)line.Length * MaxGrowth) > Options.MaxRowBytes)
        {
            body = Write(line);
            if (body.Length > Options.MaxRowBytes) return new(null, $"its request body is longer than {Options.MaxRowBytes} bytes");
        }

        row = new InputRow
        {
            Number = place.Number,
            Line = place.Line,
            CustomId = place.Id,
            Model = Options.RowModel,
            Url = RowUrl.Chat,
            Body = whole ? body.ToArray() : default,
        };
        return null;
    }

    private ReadOnlySpan<byte> Write(ReadOnlySpan<byte> text)
    {
        _body.ResetWrittenCount();
        using var json = new Utf8JsonWriter(_body, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        json.WriteStartObject();
        json.WriteString("model"u8, Options.RowModel);
        json.WriteStartArray("messages"u8);
        if (Options.System is { } system)
        {
            json.WriteStartObject();
            json.WriteString("role"u8, "system"u8);
            json.WriteString("content"u8, system);
            json.WriteEndObject();
        }

        json.WriteStartObject();
        json.WriteString("role"u8, "user"u8);
        json.WriteString("content"u8, text);
        json.WriteEndObject();
        json.WriteEndArray();
        foreach (var (name, value) in Options.Settings)
        {
            json.WritePropertyName(name);
            value.WriteTo(json);
        }

        json.WriteEndObject();
        json.Flush();
        return _body.WrittenSpan;
    }
}
