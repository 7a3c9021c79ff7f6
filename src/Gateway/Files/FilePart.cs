namespace LlmPipeline;

/// <summary>A file that is being written. Unless it is finished, nothing is left of it.</summary>
internal sealed class FilePart : IAsyncDisposable
{
    private readonly string _path;
    private readonly string _temporary;
    private readonly FileStream _file;

    public FilePart(string path, string temporary)
    {
        _path = path;
        _temporary = temporary;
        _file = PrivateFiles.Open(temporary, new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            Share = FileShare.Read | FileShare.Delete,
            Options = FileOptions.Asynchronous,
            BufferSize = 1 << 16,
        });
    }

    /// <summary>How long it is.</summary>
    public long Bytes { get; private set; }

    public async ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        await _file.WriteAsync(bytes, cancellationToken);
        Bytes += bytes.Length;
    }

    /// <summary>Puts it in its place when it is safely on the disk; one that stands there already is replaced.</summary>
    public async Task FinishAsync(CancellationToken cancellationToken)
    {
        await _file.FlushAsync(cancellationToken);
        _file.Flush(flushToDisk: true);
        await _file.DisposeAsync();
        File.Move(_temporary, _path, overwrite: true);
    }

    public async ValueTask DisposeAsync()
    {
        await _file.DisposeAsync();
        File.Delete(_temporary);
    }
}
