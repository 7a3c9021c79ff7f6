namespace LlmPipeline;

/// <summary>Whether files can be written where the output is to be.</summary>
internal static class OutputPlace
{
    /// <summary>Looks at what stands at the paths, without touching anything.</summary>
    /// <exception cref="OutputException">No folder, or something that isn't a file in the way.</exception>
    public static void Check(OutputPaths paths)
    {
        foreach (string path in paths.All())
        {
            string folder = OutputPaths.FolderOf(path);
            switch (OutputIdentity.KindOf(folder))
            {
                case OutputKind.Folder:
                    break;
                case OutputKind.Nothing when FileAbove(folder) is { } file:
                    throw OutputException.Refuse($"{path} cannot be: {file} is a file, not a folder");
                case OutputKind.Nothing:
                    throw OutputException.Refuse($"{path} cannot be: there is no folder {folder}");
                default:
                    throw OutputException.Refuse($"{path} cannot be: {folder} is not a folder");
            }

            switch (OutputIdentity.KindOf(path))
            {
                case OutputKind.Folder:
                    throw OutputException.Refuse($"{path} is a folder; -o needs the name of a file");
                case OutputKind.Special:
                    throw OutputException.Refuse($"{path} is a device or a pipe; -o needs the name of a file");
            }
        }
    }

    /// <summary>
    /// Creates each temporary file that the end of the run will need and deletes it again: better to fail before the first call is paid than after the last.
    /// Removes those that a killed run has left.
    /// </summary>
    /// <exception cref="OutputException">No permission, no space, a name too long.</exception>
    public static void Try(OutputPaths paths, OutputDisk disk)
    {
        foreach (string path in paths.Temporary())
        {
            try
            {
                File.OpenHandle(path, FileMode.Create, FileAccess.Write, FileShare.None).Dispose();
                disk.Delete(path);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw OutputException.Broke(path, e);
            }
        }
    }

    private static string? FileAbove(string folder)
    {
        for (string? above = Path.GetDirectoryName(Path.GetFullPath(folder)); above is not null; above = Path.GetDirectoryName(above))
        {
            if (OutputIdentity.KindOf(above) is OutputKind.File or OutputKind.Special)
                return above;
        }

        return null;
    }
}
