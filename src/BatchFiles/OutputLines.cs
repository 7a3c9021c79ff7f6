using Microsoft.Win32.SafeHandles;

namespace LlmPipeline;

/// <summary>The lines of a finished file, in the order of its rows. It stands on a line from the start.</summary>
internal sealed class OutputLines : IDisposable
{
    private readonly string _path;
    private readonly SafeFileHandle? _handle;
    private readonly OutputLineReader? _reader;

    /// <exception cref="OutputException">The file cannot be read; one that is not there has no lines.</exception>
    public OutputLines(string path)
    {
        _path = path;
        if (OutputIdentity.KindOf(path) == OutputKind.Nothing)
            return;
        try
        {
            _handle = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            _reader = new OutputLineReader(_handle, int.MaxValue / 2);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw OutputException.Unreadable(path, e);
        }

        MoveNext();
    }

    /// <summary>The row of the line; null after the last.</summary>
    public int? Row { get; private set; }

    /// <summary>The line without its line break; valid until the next.</summary>
    public ReadOnlyMemory<byte> Line => _reader!.Line;

    /// <summary>Where the line begins in the file.</summary>
    public long Offset => _reader!.Offset;

    /// <summary>Goes to the next line.</summary>
    /// <exception cref="OutputException">The file cannot be read.</exception>
    public void MoveNext()
    {
        Row = null;
        try
        {
            while (Row is null && _reader?.MoveNext() == true)
            {
                if (OutputLineHead.TryRead(_reader.Line.Span, out OutputLineHead head))
                    Row = head.Row;
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw OutputException.Unreadable(_path, e);
        }
    }

    public void Dispose() => _handle?.Dispose();
}
