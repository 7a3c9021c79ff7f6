using System.Buffers;

namespace LlmPipeline;

/// <summary>
/// A value of an answer that is put together of a stream's chunks. Names and texts are kept as they are written in JSON, escapes
/// included: half of a surrogate
/// pair is no text until the other half has come.
/// </summary>
internal abstract class MergedNode
{
    public abstract void Write(IBufferWriter<byte> json);
}
