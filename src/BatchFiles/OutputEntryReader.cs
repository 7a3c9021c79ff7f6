using Microsoft.Win32.SafeHandles;

namespace LlmPipeline;

/// <summary>Reads a line by its place in a file.</summary>
internal static class OutputEntryReader
{
    /// <exception cref="OutputException">The file cannot be read, or is shorter than it was.</exception>
    public static byte[] Read(string path, SafeFileHandle handle, OutputEntry entry)
    {
        byte[] line = new byte[entry.Length];
        try
        {
            for (int read = 0, now; read < line.Length; read += now)
            {
                now = RandomAccess.Read(handle, line.AsSpan(read), entry.Offset + read);
                if (now == 0)
                    throw OutputException.Changed(path);
            }
        }
        catch (Exception e) when (e is not OutputException and (IOException or UnauthorizedAccessException))
        {
            throw OutputException.Unreadable(path, e);
        }

        return line;
    }
}
