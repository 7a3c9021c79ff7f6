using System.Buffers;

namespace LlmPipeline;

/// <summary>A value that is kept as received.</summary>
internal sealed class MergedValue(ReadOnlySpan<byte> raw) : MergedNode
{
    private readonly byte[] _raw = raw.ToArray();

    public ReadOnlySpan<byte> Raw => _raw;

    public bool IsNull => Raw.SequenceEqual("null"u8);

    public override void Write(IBufferWriter<byte> json) => json.Write(_raw);
}
