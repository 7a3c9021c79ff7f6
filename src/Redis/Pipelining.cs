using System.Runtime.CompilerServices;

namespace LlmPipeline;

/// <summary>Keeps Redis at work on some calls while the next ones are made.</summary>
public static class Pipelining
{
    /// <summary>
    /// Makes a call for each element of a stream, begun in their order, while up to <paramref name="atOnce"/> of them have no answer yet. Nothing is on its
    /// way any more when it ends, or throws what the first failed call has thrown.
    /// </summary>
    /// <param name="source">What to make calls for; read ahead.</param>
    /// <param name="atOnce">Calls without an answer at most, from 1.</param>
    /// <param name="call">Makes one call.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <returns>The answers, in the order of the elements.</returns>
    public static async IAsyncEnumerable<TAnswer> InOrderAsync<T, TAnswer>(
        IAsyncEnumerable<T> source, int atOnce, Func<T, Task<TAnswer>> call, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(call);
        ArgumentOutOfRangeException.ThrowIfLessThan(atOnce, 1);
        var running = new Queue<Task<TAnswer>>();
        try
        {
            await foreach (var element in source.WithCancellation(cancellationToken).ConfigureAwait(false))
            {
                running.Enqueue(call(element));
                if (running.Count == atOnce)
                    yield return await running.Dequeue().ConfigureAwait(false);
            }

            while (running.TryDequeue(out var next))
                yield return await next.ConfigureAwait(false);
        }
        finally
        {
            // Left over when an earlier one has failed, which is what the caller is told, or when the caller wants no more.
            await ((Task)Task.WhenAll(running)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }
}
