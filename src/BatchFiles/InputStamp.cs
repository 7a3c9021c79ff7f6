namespace LlmPipeline;

/// <summary>What tells a file from one that was written to since.</summary>
internal sealed record InputStamp
{
    public required long Bytes { get; init; }

    public required DateTime Modified { get; init; }

    /// <summary>The SHA-256 of its bytes, lower-case hex; empty while it isn't known.</summary>
    public string Hash { get; init; } = "";

    public static InputStamp Of(FileStream file) => new() { Bytes = file.Length, Modified = File.GetLastWriteTimeUtc(file.SafeFileHandle) };

    /// <summary>Whether another look at the file gives another length or time of change.</summary>
    public bool Differs(InputStamp other) => Bytes != other.Bytes || Modified != other.Modified;

    /// <summary>Whether what the path names now has another length or time of change.</summary>
    public bool Differs(string path)
    {
        using var file = OpenFile(path);
        return Differs(Of(file));
    }

    /// <summary>Opens a regular file that is not empty.</summary>
    /// <exception cref="InputException">It can't be; the message says why.</exception>
    public static FileStream OpenFile(string path)
    {
        try
        {
            if (Directory.Exists(path)) throw new InputException($"{path}: is a directory");
            if (!File.Exists(path)) throw new InputException($"{path}: no such file");

            // To open a named pipe would wait for its other end, so look first. Pipes and devices have no length.
            var target = File.ResolveLinkTarget(System.IO.Path.GetFullPath(path), returnFinalTarget: true) as FileInfo ?? new FileInfo(path);
            if (target is { Exists: true, Length: 0 })
                throw new InputException($"{path}: empty, or not a regular file (it is read twice, so it can't be a pipe or a device)") { IsEmpty = true };
            var file = new FileStream(path, new FileStreamOptions
            {
                Access = FileAccess.Read,
                Mode = FileMode.Open,
                Share = FileShare.ReadWrite | FileShare.Delete,
                BufferSize = 0,
                Options = FileOptions.SequentialScan | FileOptions.Asynchronous,
            });
            if (file.CanSeek) return file;
            file.Dispose();
            throw new InputException($"{path}: not a regular file (it is read twice, so it can't be a pipe or a device)");
        }
        catch (UnauthorizedAccessException e)
        {
            throw new InputException($"{path}: not readable (permission denied)", e);
        }
        catch (Exception e) when (e is IOException or ArgumentException)
        {
            throw new InputException($"{path}: {e.Message}", e);
        }
    }
}
