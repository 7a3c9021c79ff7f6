namespace LlmPipeline;

/// <summary>Opens the output of a run, with what another batch has left there for its rows.</summary>
internal sealed class RunOutput(RunPlan plan, RunConsole console)
{
    /// <exception cref="OutputException">It cannot be used.</exception>
    /// <exception cref="CliException">It is another batch's; the message says what differs.</exception>
    public async Task<OutputFile> OpenAsync(bool replaceSimulated, CancellationToken cancellationToken)
    {
        var (paths, batch) = (plan.Paths(), plan.Batch());
        var reuse = plan.Options.Again || plan.Options.Force ? null : await RunReuse.FindAsync(plan, paths, batch, cancellationToken).ConfigureAwait(false);
        if (reuse?.IsWanted == true)
            batch = batch with { ReplaceableFamilies = [.. batch.ReplaceableFamilies, .. reuse.Batches], KeepsReplaceable = true };
        OutputFile output;
        try
        {
            output = await OutputFile.OpenAsync(
                paths,
                batch,
                new OutputOptions
                {
                    Force = plan.Options.Force,
                    Again = plan.Options.Again,
                    RetryFailed = plan.Options.RetryFailed,
                    ReplaceSimulated = replaceSimulated,
                    HoldsAnswer = body => StoredAnswer.Fault(body) is null,
                },
                cancellationToken).ConfigureAwait(false);
        }
        catch (OutputException e) when (e.Refused && reuse is { IsWanted: false })
        {
            throw CliException.Usage($"{e.Message}\nwhat differs: {reuse.Difference}");
        }

        if (reuse?.IsWanted == true && await reuse.CopyAsync(output, cancellationToken).ConfigureAwait(false) is > 0 and var copied)
            console.Say($"{RunConsole.Text(copied)} rows ask the same as rows of the output that is there, and take their answers");
        return output;
    }
}
