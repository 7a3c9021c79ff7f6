using System.IO.Hashing;
using System.Text;
using System.Text.Json;

namespace LlmPipeline;

/// <summary>The property names of one JSON object, to find one that stands there twice. It is used again for the next object.</summary>
internal sealed class JsonKeys
{
    // 64 bits of hash: two of a hundred names meet once in 10^15 objects, and then a good row is called wrong, not a wrong one good.
    private readonly HashSet<ulong> _seen = [];

    public void Clear() => _seen.Clear();

    /// <summary>Notes the name that the reader is on; false when the object has it already, however it is escaped.</summary>
    public bool Add(ref Utf8JsonReader reader)
    {
        if (!reader.ValueIsEscaped || !JsonText.TryGet(ref reader, out var name)) return _seen.Add(XxHash3.HashToUInt64(reader.ValueSpan));
        return _seen.Add(XxHash3.HashToUInt64(Encoding.UTF8.GetBytes(name)));
    }
}
