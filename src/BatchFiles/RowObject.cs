using System.Text;
using System.Text.Json;

namespace LlmPipeline;

/// <summary>A row of a prompt function as a JSON object on a line; its fields are the variables.</summary>
internal sealed class RowObject(InputOptions options) : RowParser(options)
{
    private readonly JsonNames _names = new();
    private readonly JsonKeys _keys = new();
    private readonly RowRequired _required = new(options);

    public override RowFault? Parse(ReadOnlySpan<byte> line, RowPlace place, bool whole, out InputRow? row)
    {
        row = null;
        _keys.Clear();
        _required.Clear();
        var reader = new Utf8JsonReader(line, JsonText.Strict);
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject) return new(null, "must be a JSON object", InputError.InvalidJson);

        RowFault? fault = null;
        string? customId = null, id = null;
        var variables = whole ? new Dictionary<string, string>(StringComparer.Ordinal) : null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (!_names.TryGet(ref reader, out var name)) fault ??= new(null, "a field's name " + JsonText.HalfSurrogate);
            if (!_keys.Add(ref reader)) fault ??= new(name, "stands there twice");
            reader.Read();
            var start = (int)reader.TokenStartIndex;
            var type = reader.TokenType;
            var text = "";
            var names = name is "custom_id" or "id" && type is JsonTokenType.String or JsonTokenType.Number;
            if (type == JsonTokenType.String)
            {
                // Only escapes can be wrong in a string, so that a check needn't make the text of one without them.
                if ((whole || names || reader.ValueIsEscaped) && !JsonText.TryGet(ref reader, out text)) fault ??= new(name, JsonText.HalfSurrogate);
            }
            else
            {
                reader.Skip();
                if ((whole || names) && type != JsonTokenType.Null) text = Encoding.UTF8.GetString(line[start..(int)reader.BytesConsumed]);
            }

            if (type != JsonTokenType.Null) _required.Found(name);
            if (names && text.Length > 0 && name == "custom_id") customId = text;
            if (names && text.Length > 0 && name == "id") id = text;
            variables?[name] = text;
        }

        // Reads on, so that anything after the object's end is an error.
        reader.Read();
        fault ??= _required.Fault();
        if (fault is not null) return fault;
        row = new InputRow
        {
            Number = place.Number,
            Line = place.Line,
            CustomId = customId ?? id ?? place.Id,
            IdField = customId is not null ? "custom_id" : id is not null ? "id" : null,
            Model = Options.RowModel,
            Variables = variables,
        };
        return null;
    }
}
