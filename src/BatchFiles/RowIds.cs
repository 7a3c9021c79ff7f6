using System.IO.Hashing;
using System.Runtime.InteropServices;

namespace LlmPipeline;

/// <summary>
/// The names of the rows read so far and the lines they stand in. A name is kept as 128 bits of hash, 20 bytes a slot and two slots a row at
/// most, so that a million of them take about 40 MB, however long they are.
/// </summary>
internal sealed class RowIds
{
    private ulong[] _hashes = new ulong[2 * 1024];
    private int[] _lines = new int[1024];
    private int _count;

    /// <summary>Notes a name. Answers 0, or the line in which the name stood first; that one stays noted.</summary>
    public int Add(string id, int line)
    {
        if (_count >= _lines.Length / 4 * 3) Grow();
        var hash = XxHash128.HashToUInt128(MemoryMarshal.AsBytes(id.AsSpan()));
        var (upper, lower) = ((ulong)(hash >> 64), (ulong)hash);
        var slot = Slot(upper, lower);
        if (_lines[slot] != 0) return _lines[slot];
        Put(slot, upper, lower, line);
        _count++;
        return 0;
    }

    // Open addressing with steps of one; a line of 0 marks a free slot.
    private int Slot(ulong upper, ulong lower)
    {
        var mask = _lines.Length - 1;
        var slot = (int)lower & mask;
        while (_lines[slot] != 0 && (_hashes[2 * slot] != upper || _hashes[(2 * slot) + 1] != lower)) slot = (slot + 1) & mask;
        return slot;
    }

    private void Put(int slot, ulong upper, ulong lower, int line)
    {
        _hashes[2 * slot] = upper;
        _hashes[(2 * slot) + 1] = lower;
        _lines[slot] = line;
    }

    private void Grow()
    {
        var (hashes, lines) = (_hashes, _lines);
        _hashes = new ulong[hashes.Length * 2];
        _lines = new int[lines.Length * 2];
        for (var old = 0; old < lines.Length; old++)
        {
            if (lines[old] == 0) continue;
            var (upper, lower) = (hashes[2 * old], hashes[(2 * old) + 1]);
            Put(Slot(upper, lower), upper, lower, lines[old]);
        }
    }
}
