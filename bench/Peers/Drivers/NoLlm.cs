namespace LlmPipeline.Bench;

/// <summary>In the place of an LLM: answers at once, in the process, so that what is left to measure is the pipeline around the call.</summary>
internal sealed class NoLlm : ILlmCaller
{
    private int _calls;

    /// <summary>How many were made.</summary>
    public int Calls => Volatile.Read(ref _calls);

    /// <summary>Told of each call when it starts.</summary>
    public Action<Job>? Started { get; set; }

    /// <summary>What each call answers: a JSON object.</summary>
    public byte[] Body { get; init; } = Answers.Short;

    public bool Serves(string model) => true;

    public int Room(string model) => int.MaxValue;

    public ValueTask WaitForRoomAsync(string model, CancellationToken cancellationToken) => ValueTask.CompletedTask;

    public Task<CallOutcome> CallAsync(Job job, int attempt, Func<TimeSpan, DeltaReceiver>? stream, CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref _calls);
        Started?.Invoke(job);
        return Task.FromResult(new CallOutcome
        {
            Verdict = CallVerdict.Completed,
            StatusCode = 200,
            RequestId = "none",
            Body = Body,
            Deployment = "none",
            Attempts = attempt + 1,
            Started = TimeProvider.System.GetUtcNow(),
        });
    }
}
