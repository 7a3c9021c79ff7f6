using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace LlmPipeline;

/// <summary>What stands at a path.</summary>
internal enum OutputKind
{
    Nothing,
    File,
    Folder,

    /// <summary>A device, a pipe, a socket.</summary>
    Special,
}

/// <summary>
/// Which file a path leads to. .NET tells neither the inode nor a device from a file, so Linux is asked by <c>statx</c>, whose record is the same
/// on every architecture (statx(2)). Elsewhere paths are compared with their links resolved; Windows does not let a locked file be replaced anyway.
/// </summary>
internal static class OutputIdentity
{
    private const int CurrentFolder = -100, EmptyPath = 0x1000;
    private const uint TypeAndInode = 0x101;

    public static OutputKind KindOf(string path)
    {
        if (OperatingSystem.IsLinux() && Stat(path) is { } stat)
        {
            return (stat.Mode & 0xF000) switch
            {
                0x8000 => OutputKind.File,
                0x4000 => OutputKind.Folder,
                _ => OutputKind.Special,
            };
        }

        return Directory.Exists(path) ? OutputKind.Folder : File.Exists(path) ? OutputKind.File : OutputKind.Nothing;
    }

    /// <summary>Do both paths lead to one file? Links of either sort count; a file that doesn't exist has only its path.</summary>
    public static bool AreSame(string one, string other)
    {
        if (Path.GetFullPath(one) == Path.GetFullPath(other))
            return true;
        if (OperatingSystem.IsLinux())
            return Stat(one) is { } first && Stat(other) is { } second && first.Id == second.Id;
        return Path.GetFullPath(Final(one)) == Path.GetFullPath(Final(other));
    }

    /// <summary>Is the open file still the one that the path leads to? Not, when it was deleted or replaced since.</summary>
    public static bool IsAt(SafeFileHandle handle, string path)
    {
        if (!OperatingSystem.IsLinux())
            return File.Exists(path);
        return Stat(path) is { } there && Stat(handle) is { } here && there.Id == here.Id;
    }

    /// <summary>The path with a symbolic link at its end followed, so that locks, temporary files and renames are beside the real file.</summary>
    /// <exception cref="OutputException">The links lead in a circle.</exception>
    public static string Final(string path)
    {
        try
        {
            // .NET resolves a relative link of a relative path against the root of the disk.
            return File.ResolveLinkTarget(Path.GetFullPath(path), returnFinalTarget: true)?.FullName ?? path;
        }
        catch (IOException) when (new FileInfo(Path.GetFullPath(path)).LinkTarget is not null)
        {
            throw OutputException.Refuse($"{path} is a symbolic link that leads in a circle");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Nothing is there: whoever opens the path will hear of it.
            return path;
        }
    }

    private static Record? Stat(string path)
    {
        var buffer = new byte[256];
        return statx(CurrentFolder, path, 0, TypeAndInode, buffer) == 0 ? new Record(buffer) : null;
    }

    private static Record? Stat(SafeFileHandle handle)
    {
        var buffer = new byte[256];
        return statx(handle, "", EmptyPath, TypeAndInode, buffer) == 0 ? new Record(buffer) : null;
    }

    private readonly struct Record(byte[] statx)
    {
        public int Mode { get; } = BitConverter.ToUInt16(statx, 28);

        public (ulong Inode, uint Major, uint Minor) Id { get; } =
            (BitConverter.ToUInt64(statx, 32), BitConverter.ToUInt32(statx, 136), BitConverter.ToUInt32(statx, 140));
    }

    [DllImport("libc", ExactSpelling = true)]
    private static extern int statx(int folder, [MarshalAs(UnmanagedType.LPUTF8Str)] string path, int flags, uint mask, [Out] byte[] buffer);

    [DllImport("libc", ExactSpelling = true)]
    private static extern int statx(SafeFileHandle file, [MarshalAs(UnmanagedType.LPUTF8Str)] string path, int flags, uint mask, [Out] byte[] buffer);
}
