namespace LlmPipeline;

/// <summary>
/// The calls that a process may make at the same time, shared by all its queues. A job's slot is free when its call is over. Its answer is
/// paid and not yet safe: beside as many calls as there are slots no more answers wait to be stored than there are slots, or than come in
/// 10 ms where that is more. Beside the jobs that have a slot, as many may be held as will get one within 10 ms, so that no slot is idle
/// for the time that a claim takes, and a claim brings several jobs where calls are short; where they are long, that is none. As many as
/// may wait to be stored may have been called for and wait to be settled: while more do, nothing is claimed. Where jobs or answers are
/// large, their bytes bound this too: nothing is claimed ahead beyond 8 MiB that wait for a slot, and nothing is called while answers of 64
/// MiB wait to be stored.
/// </summary>
internal sealed class Slots(int count, TimeProvider time)
{
    private const long MostWaitingBytes = 8 * 1024 * 1024, MostUnstoredBytes = 64 * 1024 * 1024;
    private const int MostAhead = 1000;
    private static readonly TimeSpan Ahead = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan Measured = TimeSpan.FromMilliseconds(50);
    private readonly Lock _lock = new();
    private readonly Queue<(TaskCompletionSource<bool> Turn, long Bytes)> _waiting = new();
    private int _held;
    private int _running;
    private int _unstored;
    private int _unsettled;
    private long _waitingBytes;
    private long _unstoredBytes;
    private int _ahead;
    private int _called;
    private long _since = time.GetTimestamp();
    private bool _closed;

    /// <summary>Set when there is something to take again.</summary>
    public VersionedSignal Freed { get; } = new();

    /// <summary>Jobs whose call is going on.</summary>
    public int Running => Volatile.Read(ref _running);

    private int MostUnstored => Math.Max(count, _ahead);

    private bool IsFree => _running < count && _running + _unstored < count + MostUnstored && _unstoredBytes < MostUnstoredBytes;

    /// <summary>Whether jobs wait for a slot that are so large that no more are to be claimed ahead.</summary>
    public bool IsFull => Interlocked.Read(ref _waitingBytes) >= MostWaitingBytes;

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

    /// <summary>Takes room for jobs that are held already, whether there is any or not.</summary>
    public void TakeMore(int jobs) => Add(held: jobs, unsettled: jobs);

    /// <summary>Gives room back for which no job came.</summary>
    public void GiveBack(int jobs) => Add(held: -jobs, unsettled: -jobs);

    /// <summary>Jobs that were claimed wait from now on for their slots, with this sum of bytes.</summary>
    public void Wait(long bytes) => Interlocked.Add(ref _waitingBytes, bytes);

    /// <summary>Waits for a slot, in the order of the calls; false: the process is about to stop, and the job is to be given back.</summary>
    /// <param name="bytes">How large the job is, as <see cref="Wait"/> was told.</param>
    public ValueTask<bool> EnterAsync(long bytes = 0)
    {
        lock (_lock)
        {
            if (_closed)
                return ValueTask.FromResult(false);
            if (IsFree)
            {
                Run(bytes);
                return ValueTask.FromResult(true);
            }

            var turn = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
            _waiting.Enqueue((turn, bytes));
            return new ValueTask<bool>(turn.Task);
        }
    }

    /// <summary>The call for a job is over, or it needs none: another may come in its place.</summary>
    /// <param name="entered">Whether it had a slot.</param>
    /// <param name="isAnswered">Whether there is an answer to be stored, of which <see cref="Stored"/> will tell.</param>
    /// <param name="answerBytes">How large that is.</param>
    /// <param name="jobBytes">How large the job was, as <see cref="Wait"/> was told.</param>
    public void Called(bool entered, bool isAnswered, long answerBytes = 0, long jobBytes = 0)
    {
        if (!entered)
            Interlocked.Add(ref _waitingBytes, -jobBytes);
        Add(held: -1, running: entered ? -1 : 0, unstored: isAnswered ? 1 : 0, unstoredBytes: answerBytes);
    }

    /// <summary>A number of answers, with this sum of bytes, are safe now, or were given up.</summary>
    public void Stored(int answers, long bytes = 0) => Add(unstored: -answers, unstoredBytes: -bytes);

    /// <summary>A job is settled, or was given up.</summary>
    public void Settled() => Add(unsettled: -1);

    /// <summary>Nothing gets a slot any more: what still waits for one is given back.</summary>
    public void Close()
    {
        lock (_lock)
        {
            _closed = true;
            while (_waiting.TryDequeue(out var next))
                next.Turn.SetResult(false);
        }
    }

    private void Add(int held = 0, int running = 0, int unstored = 0, int unsettled = 0, long unstoredBytes = 0)
    {
        bool isRoom;
        lock (_lock)
        {
            _held += held;
            _running += running;
            _unstored += unstored;
            _unsettled += unsettled;
            _unstoredBytes += unstoredBytes;
            Measure(-running);
            while (IsFree && _waiting.TryDequeue(out var next))
            {
                Run(next.Bytes);
                next.Turn.SetResult(true);
            }

            isRoom = Room() > 0;
        }

        if (isRoom)
            Freed.Set();
    }

    private void Run(long bytes)
    {
        _running++;
        Interlocked.Add(ref _waitingBytes, -bytes);
    }

    private int Room()
    {
        var ahead = IsFull ? 0 : _ahead;
        var room = Math.Min(count + ahead - _held, count + _ahead + MostUnstored - _unsettled);
        // While all slots are in use one job more is no reason for a call to Redis.
        return room < (ahead + 1) / 2 ? 0 : room;
    }

    private void Measure(int called)
    {
        _called += called;
        var elapsed = time.GetElapsedTime(_since);
        if (elapsed < Measured)
            return;
        _ahead = (int)Math.Min(MostAhead, _called * (Ahead / elapsed));
        _called = 0;
        _since = time.GetTimestamp();
    }
}
