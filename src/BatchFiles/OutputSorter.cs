using Microsoft.Win32.SafeHandles;

namespace LlmPipeline;

/// <summary>Copies lines in the order of their rows into a new file, by their places in the files that hold them.</summary>
internal sealed class OutputSorter(OutputDisk disk, Func<OutputSource, (string Path, SafeFileHandle Handle)> fileOf)
{
    private const int Group = 1 << 20;
    private readonly Dictionary<OutputSource, OutputWindow> _windows = [];

    /// <summary>Writes the file and returns when it is on the disk.</summary>
    /// <exception cref="OutputException">The disk is full or broken, or a line is no longer what it was.</exception>
    public void Write(string path, IEnumerable<(int Row, OutputEntry Entry)> rows, CancellationToken cancellationToken)
    {
        try
        {
            using SafeFileHandle file = File.OpenHandle(path, FileMode.Create, FileAccess.Write, FileShare.None);
            var group = new byte[Group];
            int filled = 0;
            long end = 0;
            foreach ((int row, OutputEntry entry) in rows)
            {
                ReadOnlySpan<byte> line = Line(row, entry);
                if (filled + line.Length + 1 > group.Length)
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    disk.Write(file, group.AsSpan(0, filled), end);
                    end += filled;
                    filled = 0;
                    if (line.Length + 1 > group.Length)
                        group = new byte[line.Length + 1];
                }

                line.CopyTo(group.AsSpan(filled));
                filled += line.Length;
                group[filled++] = (byte)'\n';
            }

            disk.Write(file, group.AsSpan(0, filled), end);
            disk.Sync(file);
        }
        catch (Exception e) when (e is not OutputException and (IOException or UnauthorizedAccessException))
        {
            throw OutputException.Broke(path, e);
        }
    }

    private ReadOnlySpan<byte> Line(int row, OutputEntry entry)
    {
        (string path, SafeFileHandle handle) = fileOf(entry.Source);
        if (!_windows.TryGetValue(entry.Source, out OutputWindow? window))
            _windows.Add(entry.Source, window = new OutputWindow(handle));
        ReadOnlySpan<byte> line = window.Read(entry.Offset, entry.Length);

        // The checkpoint is locked; the finished files lie open to editors while the run goes on.
        bool isWhole = line.Length == entry.Length
            && (entry.Source == OutputSource.Partial
                || (OutputLineHead.TryRead(line, out OutputLineHead head) && head.Row == row && head.IsCompletion == entry.IsCompletion));
        return isWhole ? line : throw OutputException.Changed(path);
    }
}
