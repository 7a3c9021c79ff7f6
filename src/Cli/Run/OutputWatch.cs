namespace LlmPipeline;

/// <summary>Notices that the output of a run is removed or renamed, before more rows are paid whose answers would be lost.</summary>
internal sealed class OutputWatch(OutputFile output, TimeProvider time)
{
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(500);

    /// <summary>Ends when the output is gone.</summary>
    public async Task GoneAsync(CancellationToken cancellationToken)
    {
        while (output.IsInPlace)
            await Task.Delay(Poll, time, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Puts it back, so that no answer is lost.</summary>
    /// <returns>Why the run stops.</returns>
    /// <exception cref="OutputException">It cannot be written there.</exception>
    public async Task<RunStop> RestoreAsync()
    {
        await output.RestoreAsync().ConfigureAwait(false);
        return new RunStop(ExitCodes.Broke, $"{output.Paths.Partial} was removed or renamed while the run went on; it is there again, with all answers");
    }
}
