using System.Runtime.InteropServices;
using System.Text.Json;

namespace LlmPipeline;

/// <summary>
/// Finds the item of a list that a piece of a stream continues. OpenAI gives each tool call its index
/// (<see href="https://platform.openai.com/docs/api-reference/chat-streaming/streaming"/>), OpenRouter each part of the reasoning
/// (<see href="https://openrouter.ai/docs/use-cases/reasoning-tokens"/>). Others leave the index out (<see
/// href="https://github.com/ollama/ollama/issues/7881"/>),
/// give all calls the same (<see href="https://github.com/InternLM/lmdeploy/issues/3412"/>), or a call another id in each piece
/// (<see href="https://github.com/poolsideai/pool/issues/9"/>). Of anything else a chunk brings what is new.
/// </summary>
internal static class ListPlace
{
    /// <summary>The item that a piece goes on with; null when it begins a new one.</summary>
    /// <param name="items">The items so far.</param>
    /// <param name="piece">An object.</param>
    /// <param name="isCalls">Whether they are calls of tools.</param>
    public static MergedObject? Find(List<MergedNode> items, JsonElement piece, bool isCalls)
    {
        var index = Raw(piece, "index"u8);
        var hasIndex = !index.IsEmpty && !index.SequenceEqual("null"u8);
        if (!hasIndex && !isCalls)
            return null;
        for (var n = items.Count - 1; n >= 0; n--)
        {
            if (items[n] is not MergedObject item)
                continue;
            if (!hasIndex)
                return GoesOn(items, item, piece);
            if (item["index"u8] is MergedValue place && place.Raw.SequenceEqual(index) && IsSame(item, piece, isCalls))
                return item;
        }

        return null;
    }

    /// <summary>Adds a new item, calls by their index: they may begin out of order.</summary>
    public static void Insert(List<MergedNode> items, JsonElement piece, MergedObject item)
    {
        var at = items.Count;
        if (IndexOf(Raw(piece, "index"u8)) is { } index)
        {
            while (at > 0 && items[at - 1] is MergedObject { } before
                && before["index"u8] is MergedValue place && IndexOf(place.Raw) > index)
                at--;
        }

        items.Insert(at, item);
    }

    private static int? IndexOf(ReadOnlySpan<byte> raw) =>
        System.Buffers.Text.Utf8Parser.TryParse(raw, out int index, out var used) && used == raw.Length ? index : null;

    // Parts of the reasoning of another type are other parts; a call with another id and a name of its own is another call.
    private static bool IsSame(MergedObject item, JsonElement piece, bool isCalls)
    {
        if (!isCalls)
            return Text(piece, "type"u8) is var type
                && (type.IsEmpty || item.Text("type"u8).IsEmpty || type.SequenceEqual(item.Text("type"u8)));
        return !IsAnother(item, piece);
    }

    private static MergedObject? GoesOn(List<MergedNode> items, MergedObject last, JsonElement piece)
    {
        var id = Text(piece, "id"u8);
        foreach (var item in items)
        {
            if (item is MergedObject call && !id.IsEmpty && call.Text("id"u8).SequenceEqual(id))
                return call;
        }

        return IsAnother(last, piece) ? null : last;
    }

    /// <summary>Whether a piece begins another call: it has an id and a name, or a name where the call before is whole.</summary>
    private static bool IsAnother(MergedObject call, JsonElement piece)
    {
        var name = piece.TryGetField("function"u8, out var function) && function.ValueKind == JsonValueKind.Object
            ? Text(function, "name"u8)
            : default;
        if (name.IsEmpty || call["function"u8] is not MergedObject begun || begun.Text("name"u8).IsEmpty)
            return false;
        var id = Text(piece, "id"u8);
        var known = call.Text("id"u8);
        if (!id.IsEmpty && !known.IsEmpty)
            return !id.SequenceEqual(known);
        return !name.SequenceEqual(begun.Text("name"u8)) || begun.Text("arguments"u8).EndsWith("}"u8);
    }

    private static ReadOnlySpan<byte> Raw(JsonElement element, ReadOnlySpan<byte> name) =>
        element.TryGetField(name, out var value) ? JsonMarshal.GetRawUtf8Value(value) : default;

    private static ReadOnlySpan<byte> Text(JsonElement element, ReadOnlySpan<byte> name) =>
        Raw(element, name) is [(byte)'"', .. var raw, (byte)'"'] ? raw : default;
}
