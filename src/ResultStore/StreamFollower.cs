using System.Globalization;
using System.Runtime.CompilerServices;
using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>Follows the deltas of a job until its result is there.</summary>
internal sealed class StreamFollower(RedisConnections redis, ResultStore results, TimeProvider time)
{
    // Some thousands of deltas: a reader that is so far behind has stood still for a while.
    private const long MostBytes = 2 * 1024 * 1024;
    private static readonly TimeSpan Tail = TimeSpan.FromMilliseconds(100);

    public async IAsyncEnumerable<StreamedPart> FollowAsync(
        RedisChannel channel, string jobId, Func<Task> enqueue, Func<long, Task>? arrived, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var messages = new DeltaBuffer(MostBytes);
        var subscription = await RedisRetry.UntilAnsweredAsync(() => redis.SubscribeAsync(channel, cancellationToken), time, null, cancellationToken).ConfigureAwait(false);
        subscription.OnMessage(message => messages.Add((byte[])message.Message!));
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        try
        {
            await enqueue().ConfigureAwait(false);
            var result = results.WaitAsync(jobId, arrived, ended.Token);
            var reading = new Reading();
            while (true)
            {
                while (messages.TryRead(out var message))
                {
                    if (reading.Read(message) is { } part)
                        yield return part;
                }

                if (result.IsCompleted)
                    break;
                await Task.WhenAny(result, messages.WaitAsync(ended.Token).AsTask()).ConfigureAwait(false);
            }

            // The last deltas may be behind the result: they come on another channel.
            var whole = await result.ConfigureAwait(false);
            using var tail = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            tail.CancelAfter(Tail);
            while (reading.MayGoOn && !messages.IsOver && await MoreAsync(messages, tail.Token).ConfigureAwait(false))
            {
                while (messages.TryRead(out var message))
                {
                    if (reading.Read(message) is { } part)
                        yield return part;
                }
            }

            cancellationToken.ThrowIfCancellationRequested();
            yield return new StreamedPart { Result = whole };
        }
        finally
        {
            await ended.CancelAsync().ConfigureAwait(false);
            await subscription.UnsubscribeAsync(CommandFlags.FireAndForget).ConfigureAwait(false);
        }
    }

    private static async Task<bool> MoreAsync(DeltaBuffer messages, CancellationToken cancellationToken)
    {
        try
        {
            return await messages.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    /// <summary>Which call is followed, and how far. A call that is met in its middle, or of which a message was lost, is not followed on.</summary>
    private sealed class Reading
    {
        private string? _run;
        private int _next;
        private bool _told;

        public bool MayGoOn => _next >= 0;

        public StreamedPart? Read(string message)
        {
            var parts = message.Split('|', 3);
            if (parts.Length != 3 || !int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out var number))
                return null;
            var begins = parts[0] != _run;
            if (begins)
                (_run, _next) = (parts[0], 0);
            if (number != _next)
            {
                _next = -1;
                return null;
            }

            _next++;
            var restarted = begins && _told;
            _told = true;
            return new StreamedPart { Restarted = restarted, Delta = parts[2] };
        }
    }
}
