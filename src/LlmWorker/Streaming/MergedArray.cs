using System.Buffers;

namespace LlmPipeline;

/// <summary>Values in a row.</summary>
internal sealed class MergedArray : MergedNode
{
    public List<MergedNode> Items { get; } = [];

    public override void Write(IBufferWriter<byte> json)
    {
        json.Write("["u8);
        for (var n = 0; n < Items.Count; n++)
        {
            if (n > 0)
                json.Write(","u8);
            Items[n].Write(json);
        }

        json.Write("]"u8);
    }
}
