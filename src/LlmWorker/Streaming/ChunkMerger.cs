using System.Buffers;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace LlmPipeline;

/// <summary>
/// Puts the chunks of a streamed completion together, vendors' own fields included. Fields may be null or missing in any chunk: whatever
/// one says of a field,
/// a later one that says nothing takes nothing away.
/// </summary>
/// <param name="mostBytes">The largest answer.</param>
internal sealed class ChunkMerger(int mostBytes)
{
    // What a value takes in memory beside its text, roughly.
    private const int Overhead = 64;
    private const int LeastMemory = 1024 * 1024;

    private readonly MergedObject _body = new();
    private readonly SortedDictionary<int, MergedObject> _choices = [];
    private readonly HashSet<int> _withDeltas = [];
    private long _bytes;
    private long _values;

    /// <summary>Chunks with a choice so far.</summary>
    public int Count { get; private set; }

    /// <summary>Whether every choice has ended.</summary>
    public bool IsWhole => _choices.Count > 0 && _choices.Values.All(choice => !choice.Text("finish_reason"u8).IsEmpty);

    /// <summary>Adds a chunk.</summary>
    /// <param name="chunk">An object.</param>
    /// <exception cref="AnswerTooLargeException">The answer has become too large.</exception>
    public void Add(JsonElement chunk)
    {
        foreach (var field in chunk.EnumerateObject())
        {
            var name = JsonMarshal.GetRawUtf8PropertyName(field);
            if (!name.SequenceEqual("choices"u8))
            {
                // The usage is null but in the last chunk; an id may be empty in the first of Azure's.
                Set(_body, name, field.Value);
                continue;
            }

            if (field.Value.ValueKind != JsonValueKind.Array)
                continue;
            foreach (var choice in field.Value.EnumerateArray())
            {
                if (choice.ValueKind == JsonValueKind.Object)
                    AddChoice(choice);
            }
        }
    }

    /// <summary>The whole answer, JSON.</summary>
    public byte[] Body()
    {
        var choices = new MergedArray();
        foreach (var choice in _choices.Values)
        {
            // Moonshot reports the usage of a stream in the choice, and without a stream where OpenAI does.
            if (_body["usage"u8] is not MergedValue { Raw: [(byte)'{', ..] } && choice["usage"u8] is { } usage)
            {
                _body["usage"u8] = usage;
                choice["usage"u8] = null;
            }

            choice.Lead("index");
            choices.Items.Add(choice);
        }

        if (_body.Text("object"u8) is var kind && (kind.IsEmpty || kind.SequenceEqual("chat.completion.chunk"u8)))
            _body["object"u8] = new MergedValue(
                _choices.Values.Any(choice => choice["text"u8] is not null) ? "\"text_completion\""u8 : "\"chat.completion\""u8);
        _body["choices"u8] = choices;
        // Where a body without stream has them.
        _body.Lead("id", "object", "created", "model", "choices");
        var json = new ArrayBufferWriter<byte>((int)Math.Min(mostBytes, _bytes) + 256);
        _body.Write(json);
        return json.WrittenSpan.ToArray();
    }

    private void AddChoice(JsonElement chunk)
    {
        Count++;
        var index = chunk.TryGetField("index"u8, out var number) && number.ValueKind == JsonValueKind.Number
            && number.TryGetInt32(out var n) ? n : 0;
        if (!_choices.TryGetValue(index, out var choice))
        {
            _choices.Add(index, choice = new MergedObject());
            choice["index"u8] = new MergedValue(Encoding.ASCII.GetBytes(index.ToString(CultureInfo.InvariantCulture)));
            Grow(0);
        }

        foreach (var field in chunk.EnumerateObject())
        {
            var name = JsonMarshal.GetRawUtf8PropertyName(field);
            if (name.SequenceEqual("index"u8))
                continue;
            if (name.SequenceEqual("delta"u8))
                AddDelta(choice, index, field.Value);
            else if (name.SequenceEqual("message"u8))
                AddMessage(choice, index, field.Value);
            else if (name.SequenceEqual("text"u8))
                Append(choice, name, field.Value);
            else if (field.Value.ValueKind == JsonValueKind.Object && !name.SequenceEqual("usage"u8))
                Join(Child(choice, name), field.Value, appends: name.SequenceEqual("logprobs"u8));
            else
                Set(choice, name, field.Value);
        }
    }

    private void AddDelta(MergedObject choice, int index, JsonElement delta)
    {
        if (delta.ValueKind != JsonValueKind.Object)
            return;
        _withDeltas.Add(index);
        Merge(Child(choice, "message"u8), delta);
    }

    // Some servers stream messages in place of deltas; beside deltas it is the whole once more, of which only what is new counts.
    private void AddMessage(MergedObject choice, int index, JsonElement message)
    {
        if (message.ValueKind != JsonValueKind.Object)
            return;
        var merged = Child(choice, "message"u8);
        if (!_withDeltas.Contains(index))
        {
            Merge(merged, message);
            return;
        }

        foreach (var field in message.EnumerateObject())
        {
            var name = JsonMarshal.GetRawUtf8PropertyName(field);
            if (merged[name] is null or MergedValue { IsNull: true })
                Set(merged, name, field.Value);
        }
    }

    /// <summary>Adds a delta: texts grow, lists too.</summary>
    private void Merge(MergedObject merged, JsonElement delta)
    {
        foreach (var field in delta.EnumerateObject())
        {
            var name = JsonMarshal.GetRawUtf8PropertyName(field);
            switch (field.Value.ValueKind)
            {
                case JsonValueKind.String when IsSetOnce(name):
                    if (merged.Text(name).IsEmpty)
                        Set(merged, name, field.Value);
                    break;
                case JsonValueKind.String or JsonValueKind.Null:
                    Append(merged, name, field.Value);
                    break;
                case JsonValueKind.Object:
                    Merge(Child(merged, name), field.Value);
                    break;
                case JsonValueKind.Array:
                    MergeList(merged, name, field.Value);
                    break;
                default:
                    Set(merged, name, field.Value);
                    break;
            }
        }
    }

    /// <summary>
    /// Adds what comes beside the deltas: what filters found is repeated with each chunk, the probabilities of tokens are those of the
    /// chunk's tokens.
    /// </summary>
    private void Join(MergedObject merged, JsonElement part, bool appends)
    {
        foreach (var field in part.EnumerateObject())
        {
            var name = JsonMarshal.GetRawUtf8PropertyName(field);
            if (appends && field.Value.ValueKind == JsonValueKind.Array)
                MergeList(merged, name, field.Value);
            else if (field.Value.ValueKind == JsonValueKind.Object)
                Join(Child(merged, name), field.Value, appends);
            else
                Set(merged, name, field.Value);
        }
    }

    private void MergeList(MergedObject merged, ReadOnlySpan<byte> name, JsonElement pieces)
    {
        if (merged[name] is not MergedArray list)
        {
            list = new MergedArray();
            // A text that goes on as parts is the first of them.
            if (merged.Text(name) is { IsEmpty: false } text)
                list.Items.Add(TextPart(text));
            merged[name] = list;
        }

        var isCalls = name.SequenceEqual("tool_calls"u8);
        foreach (var piece in pieces.EnumerateArray())
        {
            if (piece.ValueKind != JsonValueKind.Object)
            {
                list.Items.Add(Value(piece));
                continue;
            }

            if (ListPlace.Find(list.Items, piece, isCalls) is not { } item)
            {
                Grow(0);
                ListPlace.Insert(list.Items, piece, item = new MergedObject { Hidden = isCalls ? "index" : null });
            }

            Merge(item, piece);
        }
    }

    private void Append(MergedObject parent, ReadOnlySpan<byte> name, JsonElement text)
    {
        if (text.ValueKind != JsonValueKind.String)
        {
            if (parent[name] is null)
                Set(parent, name, text);
            return;
        }

        var raw = JsonMarshal.GetRawUtf8Value(text)[1..^1];
        if (parent[name] is MergedArray parts)
        {
            if (raw.IsEmpty)
                return;
            parts.Items.Add(TextPart(raw));
        }
        else
        {
            if (parent[name] is not MergedText merged)
                parent[name] = merged = new MergedText();
            merged.Append(raw);
        }

        Grow(raw.Length, isValue: false);
    }

    private static MergedObject TextPart(ReadOnlySpan<byte> raw)
    {
        var (part, text) = (new MergedObject(), new MergedText());
        text.Append(raw);
        part["type"u8] = new MergedValue("\"text\""u8);
        part["text"u8] = text;
        return part;
    }

    /// <summary>Sets a field to what a chunk says of it, if it says anything.</summary>
    private void Set(MergedObject parent, ReadOnlySpan<byte> name, JsonElement value)
    {
        var raw = JsonMarshal.GetRawUtf8Value(value);
        var isEmpty = value.ValueKind == JsonValueKind.Null || raw.SequenceEqual("\"\""u8);
        if (parent[name] is not { } old)
            parent[name] = Value(value);
        else if (!isEmpty && !(old is MergedValue same && same.Raw.SequenceEqual(raw)))
            parent[name] = Value(value, replaced: old);
    }

    private MergedValue Value(JsonElement value, MergedNode? replaced = null)
    {
        var raw = JsonMarshal.GetRawUtf8Value(value);
        if (replaced is MergedValue old)
            (_bytes, _values) = (_bytes - old.Raw.Length, _values - 1);
        Grow(raw.Length);
        return new MergedValue(raw);
    }

    private static MergedObject Child(MergedObject parent, ReadOnlySpan<byte> name)
    {
        if (parent[name] is not MergedObject child)
            parent[name] = child = new MergedObject();
        return child;
    }

    private void Grow(int bytes, bool isValue = true)
    {
        _bytes += bytes;
        // Texts grow by a few bytes with each chunk, but values of a few bytes take more than these.
        _values += isValue ? 1 : 0;
        if (_bytes > mostBytes || _values * Overhead > Math.Max(mostBytes, LeastMemory))
            throw new AnswerTooLargeException();
    }

    // Texts that come whole, and in some servers' streams again and again.
    private static bool IsSetOnce(ReadOnlySpan<byte> name) =>
        name.SequenceEqual("id"u8) || name.SequenceEqual("type"u8) || name.SequenceEqual("role"u8)
        || name.SequenceEqual("name"u8) || name.SequenceEqual("format"u8);
}
