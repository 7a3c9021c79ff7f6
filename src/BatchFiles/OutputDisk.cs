using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace LlmPipeline;

/// <summary>The steps by which an output changes on the disk. Tests derive from it to let a step fail.</summary>
internal class OutputDisk
{
    /// <summary>Opens or creates a file and locks it until it is closed; throws when another process, or this one, has it locked.</summary>
    public virtual SafeFileHandle OpenLocked(string path)
    {
        // On Windows a locked file can be deleted before it is closed only if that is shared; on Unix any sharing would make the lock a shared one.
        FileShare share = OperatingSystem.IsWindows() ? FileShare.Delete : FileShare.None;
        var options = new FileStreamOptions { Mode = FileMode.OpenOrCreate, Access = FileAccess.ReadWrite, Share = share, BufferSize = 0 };
        return PrivateFiles.Open(path, options).SafeFileHandle;
    }

    /// <summary>Writes all of it, or throws.</summary>
    public virtual void Write(SafeFileHandle file, ReadOnlySpan<byte> bytes, long offset) => RandomAccess.Write(file, bytes, offset);

    /// <summary>Returns when what was written is on the disk.</summary>
    public virtual void Sync(SafeFileHandle file) => RandomAccess.FlushToDisk(file);

    public virtual void Truncate(SafeFileHandle file, long length) => RandomAccess.SetLength(file, length);

    /// <summary>Puts a file in the place of another of the same folder: at any moment the one or the other stands there.</summary>
    public virtual void Replace(string from, string to) => File.Move(from, to, overwrite: true);

    /// <summary>Deletes a file if it is there.</summary>
    public virtual void Delete(string path) => File.Delete(path);

    /// <summary>Returns when the names in the folder of this file are on the disk, so that a rename outlives a power cut.</summary>
    public virtual void SyncFolder(string path)
    {
        // Windows keeps names in its journal and has no call for it.
        if (OperatingSystem.IsWindows())
            return;
        int folder = open(OutputPaths.FolderOf(path), 0);
        if (folder < 0)
            return;
        int error = fsync(folder) == 0 ? 0 : Marshal.GetLastPInvokeError();
        close(folder);
        // Other errors say that this file system cannot do it for folders, not that it failed.
        if (error is IoError or NoSpace)
            throw new IOException(Marshal.GetPInvokeErrorMessage(error), error);
    }

    private const int IoError = 5, NoSpace = 28;

    [DllImport("libc", ExactSpelling = true, SetLastError = true)]
    private static extern int open([MarshalAs(UnmanagedType.LPUTF8Str)] string path, int flags);

    [DllImport("libc", ExactSpelling = true, SetLastError = true)]
    private static extern int fsync(int file);

    [DllImport("libc", ExactSpelling = true)]
    private static extern int close(int file);
}
