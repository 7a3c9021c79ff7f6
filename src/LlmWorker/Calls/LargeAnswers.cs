namespace LlmPipeline;

/// <summary>
/// Where large answers wait before the rest of them is read: of each no more than <see cref="SmallBytes"/> is in memory then. Small ones
/// never wait. A few are read at a time, so that processors are left for other calls; and none while answers of 64 MiB wait to be stored.
/// Flows take turns.
/// </summary>
/// <param name="turns">How many are read at a time.</param>
/// <param name="time">The clock.</param>
internal sealed class LargeAnswers(int turns, TimeProvider time)
{
    /// <summary>An answer of more bytes is large.</summary>
    public const int SmallBytes = 256 * 1024;

    private const long MostUnstoredBytes = 64L * 1024 * 1024;
    private readonly Lock _lock = new();
    private readonly LinkedList<Waiter> _waiting = new();
    private string? _last;
    private int _reading;
    private long _unstored;

    /// <summary>
    /// The longest wait: after it an answer is read in any case, because servers give up on a client that reads nothing (a minute:
    /// <see href="https://nginx.org/en/docs/http/ngx_http_core_module.html#send_timeout"/>), and the answer is paid.
    /// </summary>
    public static TimeSpan LongestWait { get; } = TimeSpan.FromSeconds(20);

    // A turn ends early when nothing more of the answer comes for this long.
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(1);

    /// <summary>The timestamp of now.</summary>
    public long Timestamp => time.GetTimestamp();

    /// <summary>Waits until an answer may be read on.</summary>
    /// <param name="flow">Its <see cref="JobFlow"/>.</param>
    /// <param name="cancellationToken">Ends the wait with an exception.</param>
    /// <returns>The turn, to be disposed of when the answer is read.</returns>
    public async ValueTask<IDisposable> EnterAsync(string flow, CancellationToken cancellationToken)
    {
        var turn = new Turn(this);
        LinkedListNode<Waiter> place;
        lock (_lock)
        {
            if (IsFree && _waiting.Count == 0)
            {
                Begin(flow);
                return turn;
            }

            place = _waiting.AddLast(new Waiter(flow, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)));
        }

        try
        {
            await place.Value.Turn.Task.WaitAsync(LongestWait, time, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is TimeoutException or OperationCanceledException)
        {
            lock (_lock)
            {
                if (place.List is not null)
                {
                    _waiting.Remove(place);
                    Begin(flow);
                }
            }

            if (e is TimeoutException)
                return turn;
            turn.Dispose();
            throw;
        }

        return turn;
    }

    /// <summary>So many bytes of answers more wait to be stored; fewer where it is negative.</summary>
    public void AddUnstored(long bytes)
    {
        lock (_lock)
        {
            _unstored += bytes;
            Serve();
        }
    }

    /// <summary>
    /// Waits for more of an answer. One that pauses loses its turn, so that it holds up no others, and is read on without.
    /// </summary>
    /// <param name="turn">Its turn.</param>
    /// <param name="more">Reads the next bytes.</param>
    public async Task<int> ReadOnAsync(IDisposable turn, Task<int> more)
    {
        await ((Task)more).WaitAsync(LongestPause, time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!more.IsCompleted)
            turn.Dispose();
        return await more.ConfigureAwait(false);
    }

    private bool IsFree => _reading < turns && _unstored < MostUnstoredBytes;

    private void Begin(string flow)
    {
        _reading++;
        _last = flow;
    }

    private void End()
    {
        lock (_lock)
        {
            _reading--;
            Serve();
        }
    }

    private void Serve()
    {
        while (IsFree && _waiting.First is { } first)
        {
            var next = first;
            while (next is not null && next.Value.Flow == _last)
                next = next.Next;
            next ??= first;
            _waiting.Remove(next);
            Begin(next.Value.Flow);
            next.Value.Turn.SetResult();
        }
    }

    private sealed class Turn(LargeAnswers answers) : IDisposable
    {
        private int _ended;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _ended, 1) == 0)
                answers.End();
        }
    }

    private sealed record Waiter(string Flow, TaskCompletionSource Turn);
}
