namespace LlmPipeline;

/// <summary>Whether more rows have failed than <c>--max-failures</c> allows.</summary>
/// <param name="limit">The limit; null for none.</param>
/// <param name="tally">What has ended.</param>
/// <param name="rows">How many rows are called.</param>
internal sealed class RunFailures(FailureLimit? limit, RunTally tally, int rows)
{
    private readonly TaskCompletionSource _exceeded = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Ends when more have failed.</summary>
    public Task Exceeded => _exceeded.Task;

    /// <summary>Why the run stops.</summary>
    public RunStop Stop => new(ExitCodes.FailedRows, $"more rows failed than --max-failures {limit} allows: {RunConsole.Text(tally.Failed)}");

    /// <summary>Compares.</summary>
    public void Look()
    {
        var failed = (int)tally.Failed;
        if (limit?.IsExceeded(failed, failed + (int)tally.Completed, rows) == true)
            _exceeded.TrySetResult();
    }
}
