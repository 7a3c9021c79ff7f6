using System.Buffers;
using Microsoft.Win32.SafeHandles;

namespace LlmPipeline;

/// <summary>
/// The checkpoint of a run: output lines in order of ending, appended in groups. Whoever has it open owns the whole output: it is locked by the system
/// until it is closed, also when its owner is killed.
/// </summary>
internal sealed class PartialFile : IDisposable
{
    private const int KeptCapacity = 8 << 20;
    private readonly OutputDisk _disk;
    private readonly SemaphoreSlim _writing = new(1);
    private readonly Lock _gate = new();
    private ArrayBufferWriter<byte> _pending = new();
    private ArrayBufferWriter<byte> _leaving = new();
    private long _end;
    private bool _isNameOnDisk;

    private PartialFile(string path, SafeFileHandle handle, OutputDisk disk)
    {
        Path = path;
        Handle = handle;
        _disk = disk;
        _end = RandomAccess.GetLength(handle);
    }

    public string Path { get; }

    public SafeFileHandle Handle { get; private set; }

    /// <summary>False once the file or its folder was removed or renamed.</summary>
    public bool IsInPlace => OutputIdentity.IsAt(Handle, Path);

    /// <summary>Bytes in the file and in the buffers.</summary>
    public long Length
    {
        get
        {
            lock (_gate)
                return _end + _leaving.WrittenCount + _pending.WrittenCount;
        }
    }

    /// <summary>Bytes in the buffers.</summary>
    public long Pending
    {
        get
        {
            lock (_gate)
                return _leaving.WrittenCount + _pending.WrittenCount;
        }
    }

    /// <summary>Opens and locks the file, creating it when it isn't there.</summary>
    /// <exception cref="OutputException">Another run holds it, or it cannot be opened.</exception>
    public static PartialFile Lock(string path, OutputDisk disk)
    {
        while (true)
        {
            SafeFileHandle handle;
            try
            {
                handle = disk.OpenLocked(path);
            }
            catch (IOException e) when (IsHeld(e))
            {
                throw OutputException.Refuse($"another run is writing {path}");
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw OutputException.Broke(path, e);
            }

            // The last owner may have deleted the file after we opened and before we locked it: then our lock is on a file without a name.
            if (OutputIdentity.IsAt(handle, path))
                return new PartialFile(path, handle, disk);
            handle.Dispose();
        }
    }

    /// <summary>Buffers a line. Answers where it will be in the file and how long it is without its line break.</summary>
    public (long Offset, int Length) Append(OutputLine line) => Append(line.WriteTo);

    /// <inheritdoc cref="Append(OutputLine)"/>
    public (long Offset, int Length) Append(Action<IBufferWriter<byte>> writeLine)
    {
        lock (_gate)
        {
            int before = _pending.WrittenCount;
            writeLine(_pending);
            return (_end + _leaving.WrittenCount + before, _pending.WrittenCount - before - 1);
        }
    }

    /// <summary>
    /// Returns when everything appended before is on the disk. When it throws, nothing is forgotten: the next call writes the same bytes at the same place.
    /// </summary>
    /// <exception cref="OutputException">The disk is full or broken.</exception>
    public async ValueTask FlushAsync(CancellationToken cancellationToken)
    {
        await _writing.WaitAsync(cancellationToken);
        try
        {
            // Two rounds when an earlier flush failed: what it left, and what came since.
            long target = Length;
            while (_end < target && TakeLeaving())
                await Task.Run(WriteLeaving, cancellationToken);
        }
        finally
        {
            _writing.Release();
        }
    }

    /// <summary>Puts the file, which was removed while it was open, back in its place with all that it holds.</summary>
    /// <exception cref="OutputException">It cannot be written there.</exception>
    public async ValueTask RestoreAsync(CancellationToken cancellationToken)
    {
        await _writing.WaitAsync(cancellationToken);
        try
        {
            if (IsInPlace)
                return;
            Directory.CreateDirectory(OutputPaths.FolderOf(System.IO.Path.GetFullPath(Path)));
            SafeFileHandle handle = _disk.OpenLocked(Path);
            var buffer = new byte[1 << 20];
            for (long at = 0; at < _end;)
            {
                int read = RandomAccess.Read(Handle, buffer.AsSpan(0, (int)Math.Min(buffer.Length, _end - at)), at);
                if (read == 0)
                    throw OutputException.Changed(Path);
                _disk.Write(handle, buffer.AsSpan(0, read), at);
                at += read;
            }

            _disk.Sync(handle);
            _isNameOnDisk = false;
            Handle.Dispose();
            Handle = handle;
        }
        catch (Exception e) when (e is not OutputException and (IOException or UnauthorizedAccessException))
        {
            throw OutputException.Broke(Path, e);
        }
        finally
        {
            _writing.Release();
        }
    }

    /// <summary>Cuts the file; nothing may be pending.</summary>
    public void Truncate(long length)
    {
        try
        {
            _disk.Truncate(Handle, length);
            _disk.Sync(Handle);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw OutputException.Broke(Path, e);
        }

        lock (_gate)
            _end = length;
    }

    /// <summary>Deletes the file if it is empty; the lock is still held while that happens, so no other run can have written to it.</summary>
    public void DeleteIfEmpty()
    {
        if (Length == 0 && RandomAccess.GetLength(Handle) == 0 && OutputIdentity.IsAt(Handle, Path))
            _disk.Delete(Path);
    }

    public void Dispose()
    {
        Handle.Dispose();
        _writing.Dispose();
    }

    private bool TakeLeaving()
    {
        lock (_gate)
        {
            if (_leaving.WrittenCount == 0)
                (_pending, _leaving) = (_leaving, _pending);
            return _leaving.WrittenCount > 0;
        }
    }

    private void WriteLeaving()
    {
        try
        {
            _disk.Write(Handle, _leaving.WrittenSpan, _end);
            _disk.Sync(Handle);
            if (!_isNameOnDisk)
            {
                _disk.SyncFolder(Path);
                _isNameOnDisk = true;
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw OutputException.Broke(Path, e);
        }

        lock (_gate)
        {
            _end += _leaving.WrittenCount;
            if (_leaving.Capacity > KeptCapacity)
                _leaving = new ArrayBufferWriter<byte>();
            else
                _leaving.ResetWrittenCount();
        }
    }

    /// <summary>EAGAIN of Linux, EWOULDBLOCK of macOS, ERROR_SHARING_VIOLATION of Windows.</summary>
    private static bool IsHeld(IOException e) => e.HResult is 11 or 35 || (e.HResult & 0xFFFF) == 32 && OperatingSystem.IsWindows();
}
