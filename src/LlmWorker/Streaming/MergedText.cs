using System.Buffers;

namespace LlmPipeline;

/// <summary>A text that grows. Not a string that is added to: a long answer has thousands of chunks.</summary>
internal sealed class MergedText : MergedNode
{
    private readonly ArrayBufferWriter<byte> _raw = new();

    /// <summary>What is between the quotes.</summary>
    public ReadOnlySpan<byte> Raw => _raw.WrittenSpan;

    /// <param name="raw">A string of JSON, without its quotes.</param>
    public void Append(ReadOnlySpan<byte> raw) => _raw.Write(raw);

    public override void Write(IBufferWriter<byte> json)
    {
        json.Write("\""u8);
        json.Write(Raw);
        json.Write("\""u8);
    }
}
