using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace LlmPipeline;

/// <summary>Puts the chunks of a streamed completion together, vendors' own fields included.</summary>
internal sealed class ChunkMerger
{
    private static readonly JsonSerializerOptions Written = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, MaxDepth = 512 };

    // Texts that come whole, and in some servers' streams again and again.
    private static readonly string[] SetOnce = ["id", "type", "role", "name"];
    private readonly JsonObject _body = [];
    private readonly SortedDictionary<int, JsonObject> _choices = [];
    private readonly Dictionary<JsonNode, StringBuilder> _texts = [];

    /// <summary>Chunks so far.</summary>
    public int Count { get; private set; }

    /// <summary>Whether every choice has ended.</summary>
    public bool IsWhole => _choices.Count > 0 && _choices.Values.All(choice => choice["finish_reason"] is not null);

    public void Add(JsonElement chunk)
    {
        Count++;
        foreach (var field in chunk.EnumerateObject())
        {
            if (field.NameEquals("choices"u8) && field.Value.ValueKind == JsonValueKind.Array)
            {
                foreach (var choice in field.Value.EnumerateArray())
                    Add(Choice(choice), choice);
            }
            else if (field.NameEquals("object"u8))
            {
                _body["object"] = field.Value.GetString() == "chat.completion.chunk" ? "chat.completion" : field.Value.GetString();
            }
            // The usage is null but in the last chunk; an id may be empty in the first of Azure's.
            else if (!IsEmpty(field.Value) || !_body.ContainsKey(field.Name))
            {
                _body[field.Name] = Node(field.Value);
            }
        }
    }

    /// <summary>The whole answer, UTF-8 JSON.</summary>
    public byte[] Body()
    {
        foreach (var choice in _choices.Values)
            Write(choice);
        var body = new JsonObject();
        // Where a body without stream has them: before the usage.
        foreach (var name in (string[])["id", "object", "created", "model"])
        {
            if (_body.Remove(name, out var value))
                body[name] = value;
        }

        body["choices"] = new JsonArray([.. _choices.Values]);
        foreach (var name in _body.Select(field => field.Key).ToList())
        {
            _body.Remove(name, out var value);
            body[name] = value;
        }

        return JsonSerializer.SerializeToUtf8Bytes(body, Written);
    }

    private JsonObject Choice(JsonElement choice)
    {
        var index = choice.TryGetProperty("index"u8, out var number) && number.TryGetInt32(out var n) ? n : 0;
        if (!_choices.TryGetValue(index, out var merged))
            _choices.Add(index, merged = []);
        return merged;
    }

    private void Add(JsonObject choice, JsonElement chunk)
    {
        foreach (var field in chunk.EnumerateObject())
        {
            if (field.NameEquals("delta"u8) && field.Value.ValueKind == JsonValueKind.Object)
                Merge(Child(choice, "message"), field.Value);
            else if (field.NameEquals("text"u8))
                Append(choice, "text", field.Value);
            else if (field.Value.ValueKind == JsonValueKind.Object)
                Merge(Child(choice, field.Name), field.Value);
            else if (!IsEmpty(field.Value) || !choice.ContainsKey(field.Name))
                choice[field.Name] = Node(field.Value);
        }
    }

    private void Merge(JsonObject merged, JsonElement delta)
    {
        foreach (var field in delta.EnumerateObject())
        {
            switch (field.Value.ValueKind)
            {
                case JsonValueKind.String when SetOnce.Contains(field.Name):
                    if (merged[field.Name] is not JsonValue set || set.GetValueKind() != JsonValueKind.String || set.GetValue<string>() is "")
                        merged[field.Name] = Node(field.Value);
                    break;
                case JsonValueKind.String or JsonValueKind.Null:
                    Append(merged, field.Name, field.Value);
                    break;
                case JsonValueKind.Object:
                    Merge(Child(merged, field.Name), field.Value);
                    break;
                case JsonValueKind.Array:
                    MergeList(merged, field.Name, field.Value);
                    break;
                default:
                    merged[field.Name] = Node(field.Value);
                    break;
            }
        }
    }

    // Tool calls come in pieces that name their place; of anything else a chunk brings what is new.
    private void MergeList(JsonObject merged, string name, JsonElement pieces)
    {
        if (merged[name] is not JsonArray list)
            merged[name] = list = [];
        foreach (var piece in pieces.EnumerateArray())
        {
            if (piece.ValueKind != JsonValueKind.Object || !piece.TryGetProperty("index"u8, out var number) || !number.TryGetInt32(out var index) || index is < 0 or > 10_000)
            {
                list.Add(Node(piece));
                continue;
            }

            while (list.Count <= index)
                list.Add(new JsonObject());
            Merge((JsonObject)list[index]!, piece);
        }
    }

    private static JsonObject Child(JsonObject parent, string name)
    {
        if (parent[name] is not JsonObject child)
            parent[name] = child = [];
        return child;
    }

    // Into a builder and not onto the string: a long answer has thousands of chunks.
    private void Append(JsonObject parent, string name, JsonElement text)
    {
        if (text.ValueKind != JsonValueKind.String)
        {
            if (!parent.ContainsKey(name))
                parent[name] = null;
            return;
        }

        if (parent[name] is not { } node || !_texts.TryGetValue(node, out var builder))
        {
            parent[name] = node = JsonValue.Create("");
            _texts[node] = builder = new StringBuilder();
        }

        builder.Append(text.GetString());
    }

    /// <summary>Puts the texts in the place of their builders, and takes the places of tool calls out.</summary>
    private void Write(JsonNode? node)
    {
        if (node is JsonObject fields)
        {
            foreach (var (name, value) in fields.ToList())
            {
                if (value is not null && _texts.TryGetValue(value, out var text))
                    fields[name] = text.ToString();
                else
                    Write(value);
            }
        }
        else if (node is JsonArray list)
        {
            foreach (var item in list)
            {
                (item as JsonObject)?.Remove("index");
                Write(item);
            }
        }
    }

    private static bool IsEmpty(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Null => true,
        JsonValueKind.String => value.GetString() is "",
        _ => false,
    };

    private static JsonNode? Node(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Null => null,
        JsonValueKind.Object => JsonObject.Create(value.Clone()),
        JsonValueKind.Array => JsonArray.Create(value.Clone()),
        _ => JsonValue.Create(value.Clone()),
    };
}
