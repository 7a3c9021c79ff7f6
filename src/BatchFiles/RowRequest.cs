using System.Text.Json;

namespace LlmPipeline;

/// <summary>A bare request body on a line; the path is told by its shape.</summary>
internal sealed class RowRequest(InputOptions options) : RowParser(options)
{
    private readonly JsonRequest _request = new(new JsonNames(), options);

    public override RowFault? Parse(ReadOnlySpan<byte> line, RowPlace place, bool whole, out InputRow? row)
    {
        row = null;
        var reader = new Utf8JsonReader(line, JsonText.Strict);
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject) return new(null, "must be a JSON object", InputError.InvalidJson);
        var start = (int)reader.TokenStartIndex;
        _request.Read(ref reader, "");
        var body = line[start..(int)reader.BytesConsumed];

        // Reads on, so that anything after the object's end is an error.
        reader.Read();
        var url = _request.Url;
        if (url is null) return new(null, "a request body needs messages, input or prompt");
        if (_request.Fault(url, "") is { } fault) return fault;
        row = new InputRow
        {
            Number = place.Number,
            Line = place.Line,
            CustomId = place.Id,
            Model = _request.Model!,
            HasOwnModel = _request.HasOwnModel,
            Url = url,
            Body = whole ? RowBody.Make(body, _request.HasOwnModel ? null : _request.Model, Options.Drop, _request.IsPromptAlone) : default,
        };
        return null;
    }
}
