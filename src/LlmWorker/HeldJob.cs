using System.Diagnostics;

namespace LlmPipeline;

/// <summary>Who has claimed jobs, and is told how far they are.</summary>
internal interface IJobOwner
{
    /// <summary>Waits until the job may be called for; false: it is to be given back.</summary>
    ValueTask<bool> EnterAsync(HeldJob job);

    /// <summary>The job's call is over, or it needs none; with an answer that is to be stored, of which <see cref="Stored"/> tells.</summary>
    void Called(HeldJob job, bool isAnswered);

    /// <summary>A number of answers of a flow, with this sum of bytes, are safe now, or were given up.</summary>
    void Stored(string flow, int answers, long bytes);

    /// <summary>The job is settled, or given up by this process.</summary>
    void Ended(HeldJob job);
}

/// <summary>A claimed job while this process works on it.</summary>
internal sealed class HeldJob(ClaimedJob claim, QueuePartition partition, IJobOwner owner, CancellationToken stopSending = default)
{
    // Never disposed: it holds no timer, and whoever stops the job must not have to know whether it has just ended.
    private readonly CancellationTokenSource _stop = new();
    private ClaimedJob _claim = claim;
    private int _lost;
    private int _settling;
    private int _cancelled;
    private int _called;
    private int _unstored;
    private int _ended;

    // Smaller requests are kept: what they take is less than what it costs to forget them.
    private const int LargeBytes = 64 * 1024;

    /// <summary>The claim. Once the call is over, it has a large request no longer.</summary>
    public ClaimedJob Claim => _claim;

    /// <summary>How large the request is, in bytes.</summary>
    public int Bytes { get; } = JobGroups.Size(claim.Job);

    /// <summary>The <see cref="JobFlow"/> that it belongs to.</summary>
    public string Flow { get; } = JobFlow.Of(claim.Job);

    /// <summary>How large the answer is that is to be stored, in bytes.</summary>
    public int AnswerBytes { get; private set; }

    /// <summary>Where it lies.</summary>
    public QueuePartition Partition => partition;

    /// <summary>Who has claimed it.</summary>
    public IJobOwner Owner => owner;

    /// <summary>Where it is, and when no more calls are to be sent for it.</summary>
    public CallProgress Progress { get; } = new(stopSending) { Refused = claim.Refused };

    /// <summary>Set when the work has to stop: the lease is lost, or the process ends.</summary>
    public CancellationToken Stopping => _stop.Token;

    /// <summary>True when the lease is somebody else's now.</summary>
    public bool Lost => Volatile.Read(ref _lost) != 0;

    /// <summary>True when the end of its claim is on its way to Redis: from then on that call tells whose the claim was, and no renewal does.</summary>
    public bool IsSettling => Volatile.Read(ref _settling) != 0;

    /// <summary>Says that the end of its claim is on its way to Redis.</summary>
    public void BeginSettling() => Volatile.Write(ref _settling, 1);

    /// <summary>True when somebody asked for the job, or its batch, to be cancelled.</summary>
    public bool CancelAsked => _claim.CancelAsked || Volatile.Read(ref _cancelled) != 0;

    /// <summary>Stops the work because somebody asked for it.</summary>
    public void Cancel()
    {
        Volatile.Write(ref _cancelled, 1);
        _stop.Cancel();
    }

    /// <summary>Stops the work.</summary>
    public void Stop() => _stop.Cancel();

    /// <summary>Stops the work because its lease is gone.</summary>
    public void Lose()
    {
        Volatile.Write(ref _lost, 1);
        _stop.Cancel();
    }

    /// <summary>The spans of its work, the outer one first; ended with it. Null when nobody listens.</summary>
    public (Activity? Process, Activity? Store) Spans { get; set; }

    /// <summary>Waits until it may be called for; false: it is to be given back.</summary>
    public async ValueTask<bool> EnterAsync() => HasEntered = await owner.EnterAsync(this).ConfigureAwait(false);

    /// <summary>Whether it was to be called for.</summary>
    public bool HasEntered { get; private set; }

    /// <summary>Tells its owner that the call is over, if nobody has yet.</summary>
    /// <param name="isAnswered">Whether there is an answer to be stored.</param>
    /// <param name="answerBytes">How large that is.</param>
    public void TellCalled(bool isAnswered = false, int answerBytes = 0)
    {
        if (Interlocked.Exchange(ref _called, 1) != 0)
            return;
        Progress.Stage = CallStage.Ended;
        AnswerBytes = answerBytes;
        if (Bytes > LargeBytes)
            _claim = _claim with { Job = _claim.Job with { Work = new RequestWork { Path = "", Body = default } } };
        Volatile.Write(ref _unstored, isAnswered ? 1 : 0);
        owner.Called(this, isAnswered);
    }

    /// <summary>True once for a job with an answer to be stored: its owner is to be told that it is safe.</summary>
    public bool IsStoredNow() => Interlocked.Exchange(ref _unstored, 0) != 0;

    /// <summary>Ends it in this process, whatever became of it; the first time counts.</summary>
    public void End()
    {
        if (Interlocked.Exchange(ref _ended, 1) != 0)
            return;
        if (Spans is not (null, null))
        {
            // Ending a span makes its parent the current one, here where nothing of it belongs.
            var current = Activity.Current;
            Spans.Store?.Dispose();
            Spans.Process?.Dispose();
            Activity.Current = current;
        }

        TellCalled();
        if (IsStoredNow())
            owner.Stored(Flow, 1, AnswerBytes);
        owner.Ended(this);
    }
}
