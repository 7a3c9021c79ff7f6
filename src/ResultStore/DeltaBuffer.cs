using System.Text;
using System.Threading.Channels;

namespace LlmPipeline;

/// <summary>
/// The deltas between a channel of Redis and a reader. Messages that are on their way cannot be stopped: what comes until the call is paused is kept up to a bound
/// in bytes, of which one delta may exceed it. Beyond that all of them are dropped and no more are taken, because a stream with a gap is of no use.
/// </summary>
/// <param name="maxBytes">The bound.</param>
/// <param name="count">Receives the bytes that are added, and the negative of those that are removed; null for nobody.</param>
internal sealed class DeltaBuffer(long maxBytes, Action<long>? count = null)
{
    // What a delta takes beside its bytes, in the heap and in the queue.
    private const int Overhead = 64;
    private readonly Channel<byte[]> _deltas = Channel.CreateUnbounded<byte[]>(new UnboundedChannelOptions { SingleReader = true });
    private readonly Lock _lock = new();
    private long _bytes;
    private bool _isOver;

    /// <summary>Whether deltas were dropped.</summary>
    public bool IsOver => Volatile.Read(ref _isOver);

    /// <summary>The bytes in it.</summary>
    public long Bytes => Interlocked.Read(ref _bytes);

    /// <summary>Takes a delta, or drops it.</summary>
    public void Add(byte[] delta)
    {
        lock (_lock)
        {
            if (_isOver)
                return;
            if (_bytes > maxBytes)
            {
                Drop();
                return;
            }

            Count(delta.Length + Overhead);
            _deltas.Writer.TryWrite(delta);
        }
    }

    /// <summary>Drops what is there, and all that comes.</summary>
    public void Drop()
    {
        lock (_lock)
        {
            _isOver = true;
            while (_deltas.Reader.TryRead(out _))
            {
                // Dropped: the reader is too far behind, or gone.
            }

            Count(-_bytes);
        }
    }

    /// <summary>The next delta, if there is one.</summary>
    public bool TryRead(out string delta)
    {
        byte[]? bytes;
        lock (_lock)
        {
            if (_deltas.Reader.TryRead(out bytes))
                Count(-(bytes.Length + Overhead));
        }

        delta = bytes is null ? "" : Encoding.UTF8.GetString(bytes);
        return bytes is not null;
    }

    /// <summary>Waits until there is one.</summary>
    public ValueTask<bool> WaitAsync(CancellationToken cancellationToken) => _deltas.Reader.WaitToReadAsync(cancellationToken);

    private void Count(long bytes)
    {
        Interlocked.Add(ref _bytes, bytes);
        count?.Invoke(bytes);
    }
}
