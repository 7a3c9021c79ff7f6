using System.Text.Json;

namespace LlmPipeline;

/// <summary>An OpenAI Batch line. Fields that nobody knows are let through; the body is kept as the bytes that stand in the line.</summary>
internal sealed class RowBatchLine(InputOptions options) : RowParser(options)
{
    private const string Prefix = "body.";

    private readonly JsonKeys _keys = new();
    private readonly JsonRequest _request = new(new JsonNames(), options);

    public override RowFault? Parse(ReadOnlySpan<byte> line, RowPlace place, bool whole, out InputRow? row)
    {
        row = null;
        _keys.Clear();
        var reader = new Utf8JsonReader(line, JsonText.Strict);
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject) return new(null, "must be a JSON object", InputError.InvalidJson);

        RowFault? fault = null;
        string? id = null, url = null;
        var body = ReadOnlySpan<byte>.Empty;
        bool hasMethod = false, hasUrl = false, hasBody = false;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (!_keys.Add(ref reader)) fault ??= new(JsonText.TryGet(ref reader, out var name) ? name : "?", "stands there twice");
            if (JsonText.Is(ref reader, "custom_id"u8))
            {
                reader.Read();
                fault ??= ReadId(ref reader, out id);
                reader.Skip();
            }
            else if (JsonText.Is(ref reader, "method"u8))
            {
                hasMethod = true;
                reader.Read();
                if (reader.TokenType != JsonTokenType.String || !JsonText.Is(ref reader, "POST"u8)) fault ??= new("method", "must be \"POST\"");
                reader.Skip();
            }
            else if (JsonText.Is(ref reader, "url"u8))
            {
                hasUrl = true;
                reader.Read();
                url = reader.TokenType == JsonTokenType.String ? RowUrl.Known(ref reader, Options.BatchEndpoint is null) : null;
                if (url is null) fault ??= new("url", $"must be one of {RowUrl.All}{(Options.BatchEndpoint is null ? ", or another path that begins with /v1/" : "")}");
                reader.Skip();
            }
            else if (JsonText.Is(ref reader, "body"u8))
            {
                hasBody = true;
                reader.Read();
                var start = (int)reader.TokenStartIndex;
                if (reader.TokenType == JsonTokenType.StartObject) _request.Read(ref reader, Prefix);
                else fault ??= new("body", "must be an object");
                reader.Skip();
                body = line[start..(int)reader.BytesConsumed];
            }
            else
            {
                reader.Skip();
            }
        }

        // Reads on, so that anything after the object's end is an error.
        reader.Read();
        if (Options.BatchEndpoint is { } only)
        {
            fault ??= id is null ? new("custom_id", "missing") : url is not null && url != only ? new("url", $"must be {only}, as the batch says", InputError.UrlMismatch) : null;
        }

        fault ??= !hasMethod ? new("method", "missing") : !hasUrl ? new("url", "missing") : !hasBody ? new("body", "missing") : _request.Fault(url!, Prefix);
        if (fault is not null) return fault;
        row = new InputRow
        {
            Number = place.Number,
            Line = place.Line,
            CustomId = id ?? place.Id,
            IdField = id is null ? null : "custom_id",
            Model = _request.Model!,
            HasOwnModel = _request.HasOwnModel,
            Url = url,
            Body = whole ? RowBody.Make(body, _request.HasOwnModel ? null : _request.Model, Options.Drop, asChat: false) : default,
        };
        return null;
    }

    private static RowFault? ReadId(ref Utf8JsonReader reader, out string? id)
    {
        id = null;
        if (reader.TokenType != JsonTokenType.String) return new("custom_id", "must be a string");
        if (!JsonText.TryGet(ref reader, out var text)) return new("custom_id", JsonText.HalfSurrogate);
        if (text.Length == 0) return new("custom_id", "empty; leave it out, or give the row a name");
        id = text;
        return null;
    }
}
