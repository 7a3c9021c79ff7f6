namespace LlmPipeline;

/// <summary>Files and folders with prompts or answers that only their owner may read: 0600 and 0700. On Windows they inherit what the folder permits.</summary>
public static class PrivateFiles
{
    private const UnixFileMode OfFiles = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const UnixFileMode OfFolders = OfFiles | UnixFileMode.UserExecute;

    /// <summary>Opens a file that is created with 0600 where it is not there.</summary>
    public static FileStream Open(string path, FileStreamOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = OfFiles;
        return new FileStream(path, options);
    }

    /// <summary>Creates a folder, with those above it, unless it is there. One that is there keeps its mode.</summary>
    public static void CreateFolder(string path)
    {
        if (OperatingSystem.IsWindows())
            Directory.CreateDirectory(path);
        else
            Directory.CreateDirectory(path, OfFolders);
    }

    /// <summary>Creates a folder for the program's own files, or takes from one that is there what others may do.</summary>
    public static void OwnFolder(string path)
    {
        CreateFolder(path);
        if (!OperatingSystem.IsWindows() && File.GetUnixFileMode(path) != OfFolders)
            File.SetUnixFileMode(path, OfFolders);
    }
}
