namespace LlmPipeline;

/// <summary>
/// The bytes of a stream of events, none of which may be larger than an answer: a line that does not end would else be kept until there
/// is no memory left.
/// All events together may be some times as large, for a chunk takes more bytes than the few characters of the answer in it.
/// </summary>
/// <param name="inner">The stream.</param>
/// <param name="mostBytes">The largest event.</param>
internal sealed class BoundedStream(Stream inner, int mostBytes) : Stream
{
    // A chunk of OpenAI's takes up to 400 bytes for a token of four.
    private const int BytesForOne = 100;
    private long _inEvent;
    private long _inAll;

    /// <summary>Sees all that is read; null for nobody.</summary>
    public StrayLines? Stray { get; init; }

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    /// <summary>An event has been read.</summary>
    public void EventEnds() => _inEvent = 0;

    /// <exception cref="AnswerTooLargeException">More has come than may.</exception>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var read = await inner.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
        Stray?.Add(buffer.Span[..read]);
        _inEvent += read;
        _inAll += read;
        // What was read for one event may hold parts of the next.
        return _inEvent > (long)mostBytes + buffer.Length || _inAll > (long)mostBytes * BytesForOne
            ? throw new AnswerTooLargeException()
            : read;
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
