namespace LlmPipeline;

/// <summary>What Linux reports of this process.</summary>
internal static class ProcessFile
{
    /// <summary>The rest of a line of a file in <c>/proc/self</c>; null where the system has no such file or line.</summary>
    /// <param name="file">The name of the file.</param>
    /// <param name="start">What the line begins with.</param>
    public static string? Find(string file, string start)
    {
        var path = Path.Join("/proc/self", file);
        return File.Exists(path) && Array.Find(File.ReadAllLines(path), line => line.StartsWith(start, StringComparison.Ordinal)) is { } line
            ? line[start.Length..].Trim()
            : null;
    }
}
