using System.Buffers;
using System.Text;

namespace LlmPipeline;

/// <summary>Named values, in the order in which they came.</summary>
internal sealed class MergedObject : MergedNode
{
    private readonly List<(byte[] Name, MergedNode Value)> _fields = [];

    /// <summary>A field that is left out when the object is written; null for none.</summary>
    public string? Hidden { get; set; }

    public MergedNode? this[ReadOnlySpan<byte> name]
    {
        get => Find(name) is >= 0 and var at ? _fields[at].Value : null;
        set
        {
            var at = Find(name);
            if (at >= 0 && value is not null)
                _fields[at] = (_fields[at].Name, value);
            else if (at >= 0)
                _fields.RemoveAt(at);
            else if (value is not null)
                _fields.Add((name.ToArray(), value));
        }
    }

    /// <summary>The text of a field; empty when there is none, or when it is no text.</summary>
    public ReadOnlySpan<byte> Text(ReadOnlySpan<byte> name) => this[name] switch
    {
        MergedText text => text.Raw,
        MergedValue { Raw: [(byte)'"', .. var raw, (byte)'"'] } => raw,
        _ => default,
    };

    /// <summary>Moves fields to the front, in this order.</summary>
    public void Lead(params ReadOnlySpan<string> names)
    {
        for (var n = names.Length - 1; n >= 0; n--)
        {
            if (Find(Encoding.ASCII.GetBytes(names[n])) is not (>= 0 and var at))
                continue;
            var field = _fields[at];
            _fields.RemoveAt(at);
            _fields.Insert(0, field);
        }
    }

    public override void Write(IBufferWriter<byte> json)
    {
        json.Write("{"u8);
        var isFirst = true;
        foreach (var (name, value) in _fields)
        {
            if (Hidden is not null && name.AsSpan().SequenceEqual(Encoding.ASCII.GetBytes(Hidden)))
                continue;
            json.Write(isFirst ? "\""u8 : ",\""u8);
            json.Write(name);
            json.Write("\":"u8);
            value.Write(json);
            isFirst = false;
        }

        json.Write("}"u8);
    }

    private int Find(ReadOnlySpan<byte> name)
    {
        for (var n = 0; n < _fields.Count; n++)
        {
            if (name.SequenceEqual(_fields[n].Name))
                return n;
        }

        return -1;
    }
}
