namespace LlmPipeline;

/// <summary>
/// Runs failed jobs again. Their error results go first, so that whoever waits gets the new end; where a job turns out to be gone from the dead letters,
/// its error is put back.
/// </summary>
internal sealed class Redriver(Fleet fleet)
{
    /// <summary>Runs those of the jobs again that failed and are dead.</summary>
    /// <param name="ids">Job ids, some hundreds at most.</param>
    /// <param name="redrive">Asks for them to run again; answers true for those that certainly do.</param>
    /// <param name="cancellationToken">Gives up between two calls.</param>
    /// <returns>Whether each waits again, in their order.</returns>
    public async Task<IReadOnlyList<bool>> RunAsync(
        IReadOnlyList<string> ids, Func<IReadOnlyList<string>, Task<IReadOnlyList<bool>>> redrive, CancellationToken cancellationToken)
    {
        var results = await fleet.AnsweredAsync(() => fleet.Results.GetAsync(ids), cancellationToken).ConfigureAwait(false);
        var wanted = Enumerable.Range(0, ids.Count).Where(n => results[n] is null or { Status: ResultStatus.Failed }).ToList();
        var answers = new bool[ids.Count];
        if (wanted.Count == 0)
            return answers;
        var names = wanted.Select(n => ids[n]).ToList();
        // From here to the end in one go: what was forgotten is run again or put back.
        await fleet.AnsweredAsync(() => fleet.Results.ForgetErrorsAsync(names), CancellationToken.None).ConfigureAwait(false);
        var redriven = await fleet.AnsweredAsync(() => redrive(names), CancellationToken.None).ConfigureAwait(false);
        for (var n = 0; n < wanted.Count; n++)
        {
            // A repeated call, whose first answer was lost, knows nothing of the job any more: it waits, and its old error must not stand in its way.
            answers[wanted[n]] = redriven[n] || await fleet.FindJobAsync(names[n], CancellationToken.None).ConfigureAwait(false) is { State: not JobState.Dead };
            if (!answers[wanted[n]] && results[wanted[n]] is { } error)
                await fleet.AnsweredAsync(() => fleet.Results.PutAsync(error), CancellationToken.None).ConfigureAwait(false);
        }

        return answers;
    }
}
