namespace LlmPipeline;

/// <summary>
/// The bytes of requests and answers that a gateway holds at a time: of each key, and in all. A request that finds none left waits in the
/// order of arrival; a key that has used up its own holds up nobody else. What is larger than all there is passes when it is alone.
/// </summary>
/// <param name="mostPerKey">Of one key.</param>
/// <param name="most">In all.</param>
/// <param name="time">The clock of the waits.</param>
internal sealed class ByteBudget(long mostPerKey, long most, TimeProvider time)
{
    private static readonly ApiError Overloaded = new(
        503, "The gateway holds as many bytes of requests and answers as it may (MaxBufferedBytes); try again.", "server_error", null,
        "overloaded")
    { RetryAfter = TimeSpan.FromSeconds(2) };

    private readonly SemaphoreSlim _beyond = new(1);
    private readonly Lock _lock = new();
    private readonly Dictionary<string, long> _taken = new(StringComparer.Ordinal);
    private readonly LinkedList<Waiter> _waiting = new();
    private long _all;

    /// <summary>Bytes that are taken now.</summary>
    public long Taken
    {
        get
        {
            lock (_lock)
                return _all;
        }
    }

    /// <summary>What one call of a key holds; nothing at first.</summary>
    public CountedBytes For(string owner) => new(this, owner);

    /// <summary>Takes bytes, or waits for them.</summary>
    /// <param name="owner">Whose.</param>
    /// <param name="bytes">How many.</param>
    /// <param name="patience">How long to wait at most.</param>
    /// <param name="cancellationToken">Ends the wait with an exception.</param>
    /// <returns>What was taken: no more than a key may have at all.</returns>
    /// <exception cref="ApiException">There are none in time: 429 where the key's own are used up, 503 where all are.</exception>
    public async Task<long> TakeAsync(string owner, long bytes, TimeSpan patience, CancellationToken cancellationToken)
    {
        bytes = Math.Min(bytes, Math.Min(mostPerKey, most));
        LinkedListNode<Waiter> place;
        lock (_lock)
        {
            if (!_waiting.Any(waiter => waiter.Owner == owner || OwnerHasRoom(waiter)) && OwnerHasRoom(owner, bytes) && _all
                + bytes <= most)
            {
                Take(owner, bytes);
                return bytes;
            }

            place = _waiting.AddLast(new Waiter(owner, bytes));
        }

        try
        {
            await place.Value.Turn.Task.WaitAsync(patience, time, cancellationToken);
            return bytes;
        }
        catch (Exception e) when (e is TimeoutException or OperationCanceledException)
        {
            lock (_lock)
            {
                if (place.Value.Turn.Task.IsCompleted)
                    Take(owner, -bytes);
                else
                    _waiting.Remove(place);
                // Who was behind it may fit.
                Serve();
            }

            if (e is OperationCanceledException)
                throw;
            throw Refusal(owner, bytes).Thrown(e);
        }
    }

    /// <summary>
    /// Takes more for a request that holds some already. To let all of those wait for what the others hold would let none of them on, so
    /// that one at a time may go beyond what there is.
    /// </summary>
    /// <returns>To be disposed of with the bytes; null where there were enough.</returns>
    /// <exception cref="ApiException">503: others are before it for too long.</exception>
    public async Task<IDisposable?> TakeMoreAsync(string owner, long bytes, TimeSpan patience, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if (OwnerHasRoom(owner, bytes) && _all + bytes <= most)
            {
                Take(owner, bytes);
                return null;
            }
        }

        if (!await _beyond.WaitAsync(patience, cancellationToken))
            throw Overloaded.Thrown();
        lock (_lock)
            Take(owner, bytes);
        return new Beyond(_beyond);
    }

    /// <summary>Counts bytes that are there already.</summary>
    public void Add(string owner, long bytes)
    {
        lock (_lock)
            Take(owner, bytes);
    }

    /// <summary>Whether less than half is left, of a key's own or of all.</summary>
    public bool IsScarce(string owner)
    {
        lock (_lock)
            return _taken.GetValueOrDefault(owner) > mostPerKey / 2 || _all > most / 2;
    }

    /// <summary>Gives bytes back.</summary>
    public void Return(string owner, long bytes)
    {
        lock (_lock)
        {
            Take(owner, -bytes);
            Serve();
        }
    }

    private void Serve()
    {
        var passed = new HashSet<string>(StringComparer.Ordinal);
        for (var next = _waiting.First; next is not null;)
        {
            var (waiter, place) = (next.Value, next);
            next = next.Next;
            if (passed.Contains(waiter.Owner))
                continue;
            if (!OwnerHasRoom(waiter))
            {
                passed.Add(waiter.Owner);
                continue;
            }

            // Its turn has come, and nobody overtakes it: what is large would else never fit.
            if (_all + waiter.Bytes > most)
                return;
            _waiting.Remove(place);
            Take(waiter.Owner, waiter.Bytes);
            waiter.Turn.SetResult();
        }
    }

    private bool OwnerHasRoom(Waiter waiter) => OwnerHasRoom(waiter.Owner, waiter.Bytes);

    private bool OwnerHasRoom(string owner, long bytes) => _taken.GetValueOrDefault(owner) + bytes <= mostPerKey;

    private void Take(string owner, long bytes)
    {
        _all += bytes;
        var taken = _taken.GetValueOrDefault(owner) + bytes;
        if (taken > 0)
            _taken[owner] = taken;
        else
            _taken.Remove(owner);
    }

    private ApiError Refusal(string owner, long bytes)
    {
        lock (_lock)
        {
            return OwnerHasRoom(owner, bytes)
                ? Overloaded
                : ApiError.TooMany(
                    "This key has as many bytes of requests and answers on their way as it may (MaxBufferedBytesPerKey); try again.",
                    TimeSpan.FromSeconds(2));
        }
    }

    private sealed class Beyond(SemaphoreSlim one) : IDisposable
    {
        public void Dispose() => one.Release();
    }

    private sealed record Waiter(string Owner, long Bytes)
    {
        public TaskCompletionSource Turn { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
