using Microsoft.AspNetCore.Http;

namespace LlmPipeline;

/// <summary>The bytes that one call holds of the <see cref="ByteBudget"/>; given back when it is disposed of.</summary>
internal sealed class CountedBytes(ByteBudget budget, string owner) : IDisposable
{
    // A request is refused soon, for its caller has it and can send it again; an answer is paid, and waits as long as its caller does.
    private static readonly TimeSpan RequestPatience = TimeSpan.FromSeconds(5);

    // As Redis sends it, and as an array.
    private const int CopiesOfAnswer = 2;

    // Those before it are parsed in a second or two each.
    private static readonly TimeSpan MorePatience = TimeSpan.FromSeconds(30);

    private readonly Lock _lock = new();
    private long _taken;
    private long _deltas;
    private IDisposable? _beyond;
    private bool _isDisposed;

    /// <summary>Takes the bytes of a request.</summary>
    /// <exception cref="ApiException">429 or 503: there are none.</exception>
    public async Task TakeRequestAsync(long bytes, CancellationToken cancellationToken) =>
        Keep(await budget.TakeAsync(owner, bytes, RequestPatience, cancellationToken), null);

    /// <summary>Takes more bytes for a request of which some were taken.</summary>
    /// <exception cref="ApiException">503: there are none.</exception>
    public async Task TakeMoreAsync(long bytes, CancellationToken cancellationToken) =>
        Keep(bytes, await budget.TakeMoreAsync(owner, bytes, MorePatience, cancellationToken));

    /// <summary>Takes the bytes of an answer that is about to be fetched.</summary>
    public async Task TakeAnswerAsync(long bytes, CancellationToken cancellationToken) =>
        Keep(await budget.TakeAsync(owner, CopiesOfAnswer * bytes, Timeout.InfiniteTimeSpan, cancellationToken), null);

    /// <summary>For a caller that knows the size of an answer before it is fetched.</summary>
    public Func<long, Task> AnswerArrived(CancellationToken cancellationToken) => bytes => TakeAnswerAsync(bytes, cancellationToken);

    /// <summary>For a stream: the deltas that wait for its reader, and the result.</summary>
    public StreamMemory OfStream(CancellationToken cancellationToken) => new(AnswerArrived(cancellationToken), CountDeltas, () => budget.IsScarce(owner));

    // They are there already, so that nothing can wait: the call that sends them is paused.
    private void CountDeltas(long bytes)
    {
        lock (_lock)
        {
            if (_isDisposed)
                return;
            _deltas += bytes;
            if (bytes > 0)
                budget.Add(owner, bytes);
            else
                budget.Return(owner, -bytes);
        }
    }

    /// <summary>Gives all back: what they were counted for is no longer held.</summary>
    public void Return()
    {
        lock (_lock)
            GiveBack();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_lock)
        {
            _isDisposed = true;
            GiveBack();
            budget.Return(owner, _deltas);
            _deltas = 0;
        }
    }

    private void Keep(long bytes, IDisposable? beyond)
    {
        lock (_lock)
        {
            _taken += bytes;
            _beyond = beyond ?? _beyond;
            // Its call has ended while it waited.
            if (_isDisposed)
                GiveBack();
        }
    }

    private void GiveBack()
    {
        if (_taken > 0)
            budget.Return(owner, _taken);
        _taken = 0;
        _beyond?.Dispose();
        _beyond = null;
    }
}

/// <summary>Makes <see cref="CountedBytes"/> of calls.</summary>
internal static class CountedBytesOf
{
    /// <summary>What a call holds, counted for its key.</summary>
    public static CountedBytes For(this ByteBudget budget, HttpContext context) => budget.For(context.Owner());
}
