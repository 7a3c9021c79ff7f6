using System.Text;
using System.Text.Json;

namespace LlmPipeline;

/// <summary>A row of a prompt function as a JSON object on a line; its fields are the variables.</summary>
internal sealed class RowObject(InputOptions options) : RowParser(options)
{
    private readonly JsonNames _names = new();
    private readonly JsonKeys _keys = new();
    private readonly RowRequired _required = new(options);
    private readonly List<string> _fields = [];
    private string[] _fieldNames = [];
    private readonly string? _idField = options.IdColumn ?? (options.UsesId ? "id" : null);
    private readonly string? _modelField = options.HasRowModels ? "model" : null;

    public override RowFault? Parse(ReadOnlySpan<byte> line, RowPlace place, bool whole, out InputRow? row)
    {
        row = null;
        _keys.Clear();
        _required.Clear();
        var reader = new Utf8JsonReader(line, JsonText.Strict);
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject) return new(null, "must be a JSON object", InputError.InvalidJson);

        RowFault? fault = null;
        string? customId = null, id = null, model = null;
        _fields.Clear();
        var variables = whole ? new Dictionary<string, string>(StringComparer.Ordinal) : null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (!_names.TryGet(ref reader, out var name)) fault ??= new(null, "a field's name " + JsonText.HalfSurrogate);
            if (!_keys.Add(ref reader)) fault ??= new(name, "stands there twice");
            reader.Read();
            var start = (int)reader.TokenStartIndex;
            var type = reader.TokenType;
            var text = "";
            var isName = (name == "custom_id" || name == _idField || name == _modelField) && type is JsonTokenType.String or JsonTokenType.Number;
            if (type == JsonTokenType.String)
            {
                // Only escapes can be wrong in a string, so that a check needn't make the text of one without them.
                if ((whole || isName || reader.ValueIsEscaped) && !JsonText.TryGet(ref reader, out text)) fault ??= new(name, JsonText.HalfSurrogate);
            }
            else
            {
                reader.Skip();
                if ((whole || isName) && type != JsonTokenType.Null) text = Encoding.UTF8.GetString(line[start..(int)reader.BytesConsumed]);
            }

            if (type != JsonTokenType.Null) Found(name);
            if (isName && text.Length > 0 && name == "custom_id" && Options.IdColumn is null) customId = text;
            if (isName && text.Length > 0 && name == _idField) id = text;
            if (isName && name == _modelField && type == JsonTokenType.String && text.Length > 0) model = text;
            variables?[name] = text;
        }

        // Reads on, so that anything after the object's end is an error.
        reader.Read();
        fault ??= _required.Fault(_fields) ?? (model is not null && RowModel.Fault(model) is { } what ? new("model", what) : null);
        if (Options.IdColumn is not null && id is null)
            fault ??= new(Options.IdColumn, $"missing or empty, and --id names rows by it; the row has {RowNames.List(_fields)}");
        if (fault is not null) return fault;
        if (variables is not null && !variables.Keys.SequenceEqual(_fieldNames)) _fieldNames = [.. variables.Keys];
        if (variables is not null) AddReachable(variables);
        row = new InputRow
        {
            Number = place.Number,
            Line = place.Line,
            CustomId = customId ?? id ?? place.Id,
            IdField = customId is not null ? "custom_id" : id is not null ? _idField : null,
            Model = model ?? Options.RowModel,
            HasOwnModel = model is not null,
            FieldNames = variables is null ? null : _fieldNames,
            Variables = variables,
        };
        return null;
    }

    private void Found(string name)
    {
        _fields.Add(name);
        _required.Found(name);
        if (RowNames.Variable(name) is var variable && variable != name) _required.Found(variable);
    }
}
