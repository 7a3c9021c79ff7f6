namespace LlmPipeline;

/// <summary>
/// The jobs that a process may run at the same time, shared by all its queues. A job gives its slot back when its call is over and the answer is safe. Beside those
/// that have one, as many jobs may be held as will get one within 10 ms, so that no slot is idle for the time that a claim takes, and a claim brings several jobs
/// where calls are short; where they are long, that is none. As many as there are slots may have been called for and wait to be settled: while more do, nothing is claimed.
/// </summary>
internal sealed class Slots(int count, TimeProvider time)
{
    private const int MostAhead = 256;
    private static readonly TimeSpan Ahead = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan Measured = TimeSpan.FromMilliseconds(50);
    private readonly Lock _lock = new();
    private readonly Queue<TaskCompletionSource<bool>> _waiting = new();
    private int _held;
    private int _running;
    private int _unsettled;
    private int _ahead;
    private int _called;
    private long _since = time.GetTimestamp();
    private bool _closed;

    /// <summary>Set when there is something to take again.</summary>
    public VersionedSignal Freed { get; } = new();

    /// <summary>Jobs whose call is going on.</summary>
    public int Running => Volatile.Read(ref _running);

    /// <summary>Takes room for up to <paramref name="wanted"/> jobs; answers for how many it got. Each is given back by <see cref="Called"/> and then by <see cref="Settled"/>.</summary>
    public int Take(int wanted)
    {
        lock (_lock)
        {
            var got = Math.Clamp(Room(), 0, wanted);
            _held += got;
            _unsettled += got;
            return got;
        }
    }

    /// <summary>Waits for a slot, in the order of the calls; false: the process is about to stop, and the job is to be given back.</summary>
    public ValueTask<bool> EnterAsync()
    {
        lock (_lock)
        {
            if (_closed)
                return ValueTask.FromResult(false);
            if (_running < count)
            {
                _running++;
                return ValueTask.FromResult(true);
            }

            var turn = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
            _waiting.Enqueue(turn);
            return new ValueTask<bool>(turn.Task);
        }
    }

    /// <summary>Other jobs may come in their place.</summary>
    /// <param name="jobs">As many.</param>
    /// <param name="entered">Of these, as many had a slot.</param>
    public void Called(int jobs, int entered)
    {
        bool isRoom;
        lock (_lock)
        {
            Measure(entered);
            _held -= jobs;
            _running -= entered;
            for (; _running < count && _waiting.TryDequeue(out var turn); _running++)
                turn.SetResult(true);
            isRoom = Room() > 0;
        }

        if (isRoom)
            Freed.Set();
    }

    /// <summary>They are settled, or were not needed.</summary>
    public void Settled(int jobs)
    {
        bool isRoom;
        lock (_lock)
        {
            var wasRoom = Room() > 0;
            _unsettled -= jobs;
            isRoom = !wasRoom && Room() > 0;
        }

        if (isRoom)
            Freed.Set();
    }

    /// <summary>Nothing gets a slot any more: what still waits for one is given back.</summary>
    public void Close()
    {
        lock (_lock)
        {
            _closed = true;
            while (_waiting.TryDequeue(out var turn))
                turn.SetResult(false);
        }
    }

    private int Room()
    {
        var room = Math.Min(count + _ahead - _held, (2 * count) + _ahead - _unsettled);
        // While all slots are in use one job more is no reason for a call to Redis.
        return _held >= count && room < (_ahead + 1) / 2 ? 0 : room;
    }

    private void Measure(int called)
    {
        _called += called;
        var elapsed = time.GetElapsedTime(_since);
        if (elapsed < Measured)
            return;
        _ahead = (int)Math.Min(Math.Min(count / 2, MostAhead), _called * (Ahead / elapsed));
        _called = 0;
        _since = time.GetTimestamp();
    }
}
