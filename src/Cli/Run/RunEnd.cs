namespace LlmPipeline;

/// <summary>The end of a run whose rows all have an answer: copies, the order of the rows, the table.</summary>
internal sealed class RunEnd(RunPlan plan, OutputFile output, RunCopier? copier)
{
    /// <summary>Why a run stops whose input is no longer the one that was checked.</summary>
    public static RunStop OfChange(InputException change) => new(ExitCodes.Broke, change.Message);

    /// <summary>Writes the output.</summary>
    /// <returns>Whether the lines are in their place, and why the run stops before its end; null for nothing.</returns>
    /// <exception cref="OutputException">The disk is full or broken.</exception>
    public async Task<(bool IsFinished, RunStop? Stop)> RunAsync()
    {
        var isFinished = false;
        try
        {
            if (copier is not null)
                await copier.CopyAsync(null, CancellationToken.None).ConfigureAwait(false);
            await output.FinishAsync(plan.Rows, CancellationToken.None).ConfigureAwait(false);
            isFinished = true;
            if (output.Paths.Csv is not null)
                await RunCsv.WriteAsync(plan.Input, plan.Summary, output.Paths, plan.AnswerFields, plan.Options.ExcelSafe, CancellationToken.None).ConfigureAwait(false);
            return (true, null);
        }
        catch (InputException e) when (e.HasChanged)
        {
            return (isFinished, OfChange(e));
        }
    }
}
