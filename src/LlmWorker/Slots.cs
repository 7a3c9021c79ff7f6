namespace LlmPipeline;

/// <summary>
/// The calls that a process may make at the same time, shared by all its queues. A job's slot is free when its call is over. Its answer is
/// paid and not yet safe: beside as many calls as there are slots no more answers wait to be stored than there are slots, or than come in
/// 10 ms where that is more. Beside the jobs that have a slot, as many may be held as will get one within 10 ms, so that no slot is idle
/// for the time that a claim takes, and a claim brings several jobs where calls are short; where they are long, that is none. As many as
/// may wait to be stored may have been called for and wait to be settled: while more do, nothing is claimed. Where jobs or answers are
/// large, their bytes bound this too: nothing is claimed ahead beyond 8 MiB that wait for a slot, nothing of a <see cref="JobFlow"/> is
/// called while its answers of 64 MiB wait to be stored, and nothing at all while those of all flows are 256 MiB.
/// </summary>
/// <param name="count">How many there are.</param>
/// <param name="time">The clock.</param>
/// <param name="large">Has large answers read while the unstored ones leave room; null: they are not held back.</param>
internal sealed class Slots(int count, TimeProvider time, LargeAnswers? large = null)
{
    private const long Mebibyte = 1024 * 1024;
    private const long MostWaitingBytes = 8 * Mebibyte, MostUnstoredOfFlow = 64 * Mebibyte, MostUnstoredBytes = 256 * Mebibyte;
    private const int MostAhead = 1000;
    private static readonly TimeSpan Ahead = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan Measured = TimeSpan.FromMilliseconds(50);
    private readonly Lock _lock = new();
    private readonly LinkedList<Waiter> _waiting = new();
    // Of the flows that have any.
    private readonly Dictionary<string, long> _unstoredOf = new(StringComparer.Ordinal);
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
    /// <param name="flow">Its <see cref="JobFlow"/>. A job of a flow whose answers wait to be stored is passed by those of others.</param>
    public ValueTask<bool> EnterAsync(long bytes = 0, string flow = "")
    {
        lock (_lock)
        {
            if (_closed)
                return ValueTask.FromResult(false);
            if (IsFree && !IsHeldBack(flow))
            {
                Run(bytes);
                return ValueTask.FromResult(true);
            }

            var turn = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
            _waiting.AddLast(new Waiter(turn, bytes, flow));
            return new ValueTask<bool>(turn.Task);
        }
    }

    /// <summary>The call for a job is over, or it needs none: another may come in its place.</summary>
    /// <param name="entered">Whether it had a slot.</param>
    /// <param name="isAnswered">Whether there is an answer to be stored, of which <see cref="Stored"/> will tell.</param>
    /// <param name="answerBytes">How large that is.</param>
    /// <param name="jobBytes">How large the job was, as <see cref="Wait"/> was told.</param>
    /// <param name="flow">Its flow, as <see cref="EnterAsync"/> was told.</param>
    public void Called(bool entered, bool isAnswered, long answerBytes = 0, long jobBytes = 0, string flow = "")
    {
        if (!entered)
            Interlocked.Add(ref _waitingBytes, -jobBytes);
        Add(held: -1, running: entered ? -1 : 0, unstored: isAnswered ? 1 : 0, unstoredBytes: answerBytes, flow: flow);
    }

    /// <summary>A number of answers of a flow, with this sum of bytes, are safe now, or were given up.</summary>
    public void Stored(int answers, long bytes = 0, string flow = "") => Add(unstored: -answers, unstoredBytes: -bytes, flow: flow);

    /// <summary>A job is settled, or was given up.</summary>
    public void Settled() => Add(unsettled: -1);

    /// <summary>Nothing gets a slot any more: what still waits for one is given back.</summary>
    public void Close()
    {
        lock (_lock)
        {
            _closed = true;
            foreach (var waiter in _waiting)
                waiter.Turn.SetResult(false);
            _waiting.Clear();
        }
    }

    private void Add(int held = 0, int running = 0, int unstored = 0, int unsettled = 0, long unstoredBytes = 0, string flow = "")
    {
        bool isRoom;
        lock (_lock)
        {
            _held += held;
            _running += running;
            _unstored += unstored;
            _unsettled += unsettled;
            AddUnstored(flow, unstoredBytes);
            Measure(-running);
            Serve();
            isRoom = Room() > 0;
        }

        if (isRoom)
            Freed.Set();
    }

    private void AddUnstored(string flow, long bytes)
    {
        if (bytes == 0)
            return;
        _unstoredBytes += bytes;
        if (_unstoredOf.GetValueOrDefault(flow) + bytes is > 0 and var left)
            _unstoredOf[flow] = left;
        else
            _unstoredOf.Remove(flow);
        large?.AddUnstored(bytes);
    }

    private void Serve()
    {
        for (var next = _waiting.First; next is not null && IsFree;)
        {
            var (waiter, place) = (next.Value, next);
            next = next.Next;
            if (IsHeldBack(waiter.Flow))
                continue;
            _waiting.Remove(place);
            Run(waiter.Bytes);
            waiter.Turn.SetResult(true);
        }
    }

    private bool IsHeldBack(string flow) => _unstoredOf.GetValueOrDefault(flow) >= MostUnstoredOfFlow;

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

    private readonly record struct Waiter(TaskCompletionSource<bool> Turn, long Bytes, string Flow);
}
