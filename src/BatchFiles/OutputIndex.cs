using System.Runtime.InteropServices;

namespace LlmPipeline;

/// <summary>Which of a run's files holds a row's newest line.</summary>
internal enum OutputSource : byte
{
    None,
    Partial,
    Results,
    Errors,
}

/// <summary>Where the line of a row is and what it says. 16 bytes, as there are a million of them.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 4)]
internal readonly record struct OutputEntry(long Offset, int Length, OutputSource Source, bool IsCompletion, bool IsEarlier);

/// <summary>The place of each row's line, by row number.</summary>
internal sealed class OutputIndex
{
    private const int ChunkBits = 15;
    private const int ChunkSize = 1 << ChunkBits;
    private readonly SortedDictionary<int, OutputEntry[]> _chunks = [];
    private OutputEntry[]? _last;
    private int _lastNumber = -1;

    public int Completed { get; private set; }

    public int Failed { get; private set; }

    /// <summary>Of the failed rows, those of an earlier run.</summary>
    public int FailedEarlier { get; private set; }

    public OutputEntry this[int row] => Chunk(row >> ChunkBits, create: false) is { } chunk ? chunk[row & (ChunkSize - 1)] : default;

    /// <summary>Takes a line that is newer than what is known of the row. A completion gives way to a completion only. False when it gave not way.</summary>
    public bool PutNewer(int row, OutputEntry entry) => Put(row, entry, isNewer: true);

    /// <summary>Takes a line that is older than what is known of the row: it counts where nothing stands, or as a completion where an error stands.</summary>
    public bool PutOlder(int row, OutputEntry entry) => Put(row, entry, isNewer: false);

    /// <summary>The rows that have a line, in order.</summary>
    public IEnumerable<(int Row, OutputEntry Entry)> Rows()
    {
        foreach ((int number, OutputEntry[] chunk) in _chunks)
        {
            for (int i = 0; i < ChunkSize; i++)
            {
                if (chunk[i].Source != OutputSource.None)
                    yield return ((number << ChunkBits) + i, chunk[i]);
            }
        }
    }

    /// <summary>How many rows have their line in this file, as a completion or as an error.</summary>
    public int Count(OutputSource source, bool isCompletion)
    {
        int count = 0;
        foreach ((_, OutputEntry entry) in Rows())
        {
            if (entry.Source == source && entry.IsCompletion == isCompletion)
                count++;
        }

        return count;
    }

    private bool Put(int row, OutputEntry entry, bool isNewer)
    {
        ref OutputEntry place = ref Chunk(row >> ChunkBits, create: true)![row & (ChunkSize - 1)];
        bool stands = place.Source != OutputSource.None && (place.IsCompletion == entry.IsCompletion ? !isNewer : place.IsCompletion);
        if (stands)
            return false;
        Count(place, -1);
        Count(entry, +1);
        place = entry;
        return true;
    }

    private void Count(OutputEntry entry, int by)
    {
        if (entry.Source == OutputSource.None)
            return;
        if (entry.IsCompletion)
        {
            Completed += by;
            return;
        }

        Failed += by;
        if (entry.IsEarlier)
            FailedEarlier += by;
    }

    private OutputEntry[]? Chunk(int number, bool create)
    {
        if (number == _lastNumber)
            return _last;
        if (!_chunks.TryGetValue(number, out OutputEntry[]? chunk))
        {
            if (!create)
                return null;
            _chunks.Add(number, chunk = new OutputEntry[ChunkSize]);
        }

        (_lastNumber, _last) = (number, chunk);
        return chunk;
    }
}
