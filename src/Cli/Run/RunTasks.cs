namespace LlmPipeline;

/// <summary>Waiting for the parts of a run.</summary>
internal static class RunTasks
{
    /// <summary>Ends only when <paramref name="work"/> fails, and fails with it.</summary>
    public static async Task Failed(Task work)
    {
        await work.ConfigureAwait(false);
        await Task.Delay(Timeout.Infinite).ConfigureAwait(false);
    }

    public static Task Cancelled(CancellationToken cancellationToken)
    {
        var cancelled = new TaskCompletionSource();
        cancellationToken.Register(cancelled.SetResult);
        return cancelled.Task;
    }

    /// <summary>Waits for the reading of an input that may have changed; any other error is thrown.</summary>
    public static async Task<RunStop?> ChangedAsync(Task feeding)
    {
        try
        {
            await EndedAsync(feeding).ConfigureAwait(false);
            return null;
        }
        catch (InputException e) when (e.HasChanged)
        {
            return RunEnd.OfChange(e);
        }
    }

    /// <summary>Waits for work that was told to stop; an error of it is thrown.</summary>
    public static async Task EndedAsync(Task work)
    {
        try
        {
            await work.ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            // It was told to.
        }
    }
}
