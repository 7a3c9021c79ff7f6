using System.Runtime.CompilerServices;

namespace LlmPipeline;

/// <summary>Reads the dead letters of queues, the oldest first, with their errors.</summary>
internal sealed class DeadPages(Fleet fleet, IReadOnlyList<string> queues)
{
    private const int JobsPerCall = 100;

    public async IAsyncEnumerable<DeadLetter> ReadAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        foreach (var queue in queues)
        {
            for (var skip = 0; ; skip += JobsPerCall)
            {
                var page = await PageAsync(queue, skip, cancellationToken).ConfigureAwait(false);
                var results = await fleet.AnsweredAsync(() => fleet.Results.GetAsync([.. page.Select(dead => dead.Id)]), cancellationToken).ConfigureAwait(false);
                foreach (var (dead, result) in page.Zip(results))
                    yield return DeadLetter.Of(queue, dead, result);
                if (page.Count < JobsPerCall)
                    break;
            }
        }
    }

    /// <summary>Ids of a queue that are dead now, page by page, for a caller who takes each page away; those that it leaves are skipped.</summary>
    /// <param name="queue">The queue.</param>
    /// <param name="take">Takes a page away, and says how many of it are gone.</param>
    /// <param name="cancellationToken">Ends it between two pages.</param>
    /// <returns>How many were taken away.</returns>
    public async Task<long> TakeAsync(string queue, Func<IReadOnlyList<string>, Task<long>> take, CancellationToken cancellationToken)
    {
        // No more than are dead now: what fails again at once must not keep this going.
        var left = (await fleet.AnsweredAsync(() => fleet.Queue.StatsAsync(queue), cancellationToken).ConfigureAwait(false)).Dead;
        var taken = 0L;
        for (var skip = 0; left > 0;)
        {
            var page = (await PageAsync(queue, skip, cancellationToken).ConfigureAwait(false)).Take((int)Math.Min(left, JobsPerCall)).ToList();
            if (page.Count == 0)
                break;
            var gone = await take([.. page.Select(dead => dead.Id)]).ConfigureAwait(false);
            taken += gone;
            skip += page.Count - (int)gone;
            left -= page.Count;
        }

        return taken;
    }

    private Task<IReadOnlyList<DeadJob>> PageAsync(string queue, int skip, CancellationToken cancellationToken) =>
        fleet.AnsweredAsync(() => fleet.Queue.DeadAsync(queue, skip, JobsPerCall), cancellationToken);
}
