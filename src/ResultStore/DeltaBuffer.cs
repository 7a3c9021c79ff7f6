using System.Text;
using System.Threading.Channels;

namespace LlmPipeline;

/// <summary>
/// The deltas between a channel of Redis and who reads them. Redis cannot be made to wait: what a slow reader leaves is kept up to a bound
/// in bytes, of which one delta always passes. Beyond it all of them are dropped and no more are taken, for a stream with a gap is of no
/// use; the stored result has the whole.
/// </summary>
internal sealed class DeltaBuffer(long mostBytes)
{
    // What a delta takes beside its bytes, in the heap and in the queue.
    private const int Overhead = 64;
    private readonly Channel<byte[]> _deltas = Channel.CreateUnbounded<byte[]>(new UnboundedChannelOptions { SingleReader = true });
    private readonly Lock _lock = new();
    private long _bytes;
    private bool _isOver;

    /// <summary>Whether deltas were dropped.</summary>
    public bool IsOver => Volatile.Read(ref _isOver);

    /// <summary>Takes a delta, or drops it.</summary>
    public void Add(byte[] delta)
    {
        lock (_lock)
        {
            if (_isOver)
                return;
            var size = delta.Length + Overhead;
            if (_bytes == 0 || _bytes + size <= mostBytes)
            {
                _bytes += size;
                _deltas.Writer.TryWrite(delta);
                return;
            }

            _isOver = true;
            while (_deltas.Reader.TryRead(out _))
            {
                // Dropped: the reader is too far behind.
            }
        }
    }

    /// <summary>The next delta, if there is one.</summary>
    public bool TryRead(out string delta)
    {
        byte[]? bytes;
        lock (_lock)
        {
            if (_deltas.Reader.TryRead(out bytes))
                _bytes -= bytes.Length + Overhead;
        }

        delta = bytes is null ? "" : Encoding.UTF8.GetString(bytes);
        return bytes is not null;
    }

    /// <summary>Waits until there is one.</summary>
    public ValueTask<bool> WaitAsync(CancellationToken cancellationToken) => _deltas.Reader.WaitToReadAsync(cancellationToken);
}
