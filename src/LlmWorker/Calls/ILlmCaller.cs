namespace LlmPipeline;

/// <summary>What workers ask of the LLM side; <see cref="LlmCaller"/> is the one that calls LLMs. Safe for many calls at once.</summary>
public interface ILlmCaller
{
    /// <summary>Whether any deployment serves this model.</summary>
    bool Serves(string model);

    /// <summary>The models of which <see cref="Serves"/> is true, or <see cref="FleetModels.Every"/>, the default: which they are is not known.</summary>
    IReadOnlyCollection<string> Models => [FleetModels.Every];

    /// <summary>What the keys of its quotas on Redis begin with.</summary>
    string QuotaPrefix => "";

    /// <summary>About how many more calls of this model may be begun within the next second; <see cref="int.MaxValue"/> when nothing limits them, 0 for none now.</summary>
    int Room(string model);

    /// <summary>Returns when <see cref="Room"/> is above 0.</summary>
    ValueTask WaitForRoomAsync(string model, CancellationToken cancellationToken);

    /// <summary>Does the LLM work of a job until it ends, or until only a long wait could help.</summary>
    /// <param name="job">The claimed job.</param>
    /// <param name="attempt">How many attempts earlier claims have charged.</param>
    /// <param name="stream">Called for each call whose answer is streamed, with the longest time in all that the call may wait for readers: returns what
    /// receives the data of each event; null for nobody.</param>
    /// <param name="cancellationToken">Breaks the work off. A completion that has arrived is still returned: it is paid.</param>
    /// <exception cref="OperationCanceledException">Only when <paramref name="cancellationToken"/> is cancelled.</exception>
    Task<CallOutcome> CallAsync(Job job, int attempt, Func<TimeSpan, DeltaReceiver>? stream, CancellationToken cancellationToken);

    /// <summary>The same for a worker: it learns where the job is, and may say that no more calls are to be sent.</summary>
    /// <returns>What the call came to; <see cref="CallVerdict.Release"/> when a call would have to be sent after <see cref="CallProgress.StopSending"/>.</returns>
    internal async Task<CallOutcome> CallAsync(
        Job job, int attempt, Func<TimeSpan, DeltaReceiver>? stream, CallProgress progress, CancellationToken cancellationToken)
    {
        progress.Stage = CallStage.Sent;
        try
        {
            return await CallAsync(job, attempt, stream, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            progress.Stage = CallStage.Ended;
        }
    }

    /// <summary>Where large answers wait to be read; null: they do not wait.</summary>
    internal LargeAnswers? LargeAnswers => null;
}
