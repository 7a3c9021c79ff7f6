using System.Text;
using Microsoft.Win32.SafeHandles;

namespace LlmPipeline;

/// <summary>Reads a file of output lines: puts the lines of one batch into the index and tells what else there is.</summary>
internal sealed class OutputScan
{
    private readonly byte[] _other = new byte[256];
    private int _otherLength = -1;

    private OutputScan()
    {
    }

    /// <summary>The batch whose lines were taken; null when none were.</summary>
    public string? BatchId { get; private set; }

    /// <summary>Ids of other batches in the file.</summary>
    public List<string> Others { get; } = [];

    /// <summary>The file begins with something that no run has written.</summary>
    public bool IsForeign { get; private set; }

    /// <summary>Lines taken.</summary>
    public int Lines { get; private set; }

    /// <summary>Lines in the midst of the file that are not whole.</summary>
    public int Dropped { get; private set; }

    /// <summary>Completions that hold no answer; they are not taken.</summary>
    public int Unanswered { get; private set; }

    /// <summary>Lines of a simulator, taken or not.</summary>
    public int Simulated { get; private set; }

    /// <summary>Where the last whole line ends. Bytes.</summary>
    public long GoodEnd { get; private set; }

    /// <summary>Are the file's bytes just the lines taken, in the order of rows, all of one sort?</summary>
    public bool IsSorted { get; private set; } = true;

    /// <param name="handle">The file.</param>
    /// <param name="source">Which one it is.</param>
    /// <param name="index">Where the lines go.</param>
    /// <param name="isMine">Are lines of this batch taken? Asked once for each change of batch in the file.</param>
    /// <param name="holdsAnswer">Whether the body of a completion holds an answer; null for not looking.</param>
    /// <param name="replacesSimulated">Whether a simulator's lines are left out.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    public static OutputScan Read(
        SafeFileHandle handle, OutputSource source, OutputIndex index, Func<string, bool> isMine,
        Func<ReadOnlyMemory<byte>, bool>? holdsAnswer, bool replacesSimulated, CancellationToken cancellationToken)
    {
        var scan = new OutputScan();
        var reader = new OutputLineReader(handle);
        byte[] mine = [];
        int lastRow = 0, torn = 0;
        long bytes = 0;
        while (!scan.IsForeign && reader.MoveNext())
        {
            cancellationToken.ThrowIfCancellationRequested();
            ReadOnlySpan<byte> line = reader.Line.Span;
            bool isLong = reader.IsTooLong;
            if (!isLong && line.IndexOfAnyExcept(" \t\0"u8) < 0)
            {
                // Zeros are what some file systems leave at the end after a power cut.
                continue;
            }

            // A checkpoint's last line without its line break was cut off, even if it looks whole.
            bool isCut = !reader.HasLineBreak && source == OutputSource.Partial;
            if (isLong || isCut || !OutputLineHead.TryRead(line, out OutputLineHead head))
            {
                scan.IsSorted = false;
                scan.IsForeign = scan.GoodEnd == 0 && scan.Dropped + torn == 0 && !IsOurs(line, isCut);
                if (reader.HasLineBreak)
                    scan.Dropped++;
                else
                    torn++;
                continue;
            }

            scan.GoodEnd = reader.Next;
            if (scan.BatchId is null || !head.Batch.SequenceEqual(mine))
            {
                if (!scan.IsChosen(head.Batch, isMine))
                    continue;
                mine = head.Batch.ToArray();
            }

            scan.Simulated += head.IsSimulated ? 1 : 0;
            if (head.IsSimulated && replacesSimulated)
            {
                scan.IsSorted = false;
                continue;
            }

            if (head.IsCompletion && holdsAnswer is not null && !holdsAnswer(OutputLineBody.Of(reader.Line)))
            {
                scan.Unanswered++;
                scan.IsSorted = false;
                continue;
            }

            var entry = new OutputEntry(reader.Offset, line.Length, source, head.IsCompletion, IsEarlier: true);
            bool isTaken = source == OutputSource.Partial ? index.PutNewer(head.Row, entry) : index.PutOlder(head.Row, entry);
            scan.IsSorted &= isTaken && head.Row > lastRow && head.IsCompletion == (source == OutputSource.Results);
            bytes += line.Length + 1;
            scan.Lines++;
            lastRow = head.Row;
        }

        scan.IsSorted &= bytes == reader.Next;

        // A finished file is never torn as a whole: without a single good line it is somebody else's.
        scan.IsForeign |= source != OutputSource.Partial && scan.GoodEnd == 0 && scan.Dropped + torn > 0;
        return scan;
    }

    private bool IsChosen(ReadOnlySpan<byte> batch, Func<string, bool> isMine)
    {
        if (_otherLength == batch.Length && _other.AsSpan(0, _otherLength).SequenceEqual(batch))
            return false;
        string id = Encoding.UTF8.GetString(batch);
        if (BatchId is null && isMine(id))
        {
            BatchId = id;
            return true;
        }

        IsSorted = false;
        if (batch.Length <= _other.Length)
        {
            batch.CopyTo(_other);
            _otherLength = batch.Length;
        }

        if (!Others.Contains(id) && Others.Count < 100)
            Others.Add(id);
        return false;
    }

    /// <summary>Does a line that isn't whole begin as ours do?</summary>
    private static bool IsOurs(ReadOnlySpan<byte> line, bool isCut)
    {
        ReadOnlySpan<byte> start = OutputLineHead.Start;
        return line.StartsWith(start) || (isCut && line.Length < start.Length && start.StartsWith(line));
    }
}
