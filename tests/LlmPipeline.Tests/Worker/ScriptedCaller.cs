namespace LlmPipeline.Tests;

/// <summary>In the place of an LLM: every call is a completion, as soon as <paramref name="call"/> has ended.</summary>
internal sealed class ScriptedCaller(Func<Job, CancellationToken, Task> call) : ILlmCaller
{
    public bool Serves(string model) => true;

    public int Room(string model) => int.MaxValue;

    public ValueTask WaitForRoomAsync(string model, CancellationToken cancellationToken) => ValueTask.CompletedTask;

    public async Task<CallOutcome> CallAsync(Job job, int attempt, Func<TimeSpan, DeltaReceiver>? stream, CancellationToken cancellationToken)
    {
        await call(job, cancellationToken);
        return new CallOutcome { Verdict = CallVerdict.Completed, StatusCode = 200, Body = TestQueue.Body("answer"), Attempts = attempt + 1 };
    }
}
