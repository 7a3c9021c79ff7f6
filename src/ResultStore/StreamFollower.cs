using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>Follows the deltas of a job until its result is there.</summary>
internal sealed class StreamFollower(RedisConnections redis, ResultStore results, string pauseChannels, TimeProvider time)
{
    // What is on its way when the call is paused comes still: as much as is sent until the message of the pause is received.
    private const long MaxBytes = 32 * 1024 * 1024;
    private static readonly TimeSpan Tail = TimeSpan.FromMilliseconds(100);

    public async IAsyncEnumerable<StreamedPart> FollowAsync(
        RedisChannel channel, string jobId, Func<Task> enqueue, StreamMemory? memory, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var messages = new DeltaBuffer(MaxBytes, memory is null ? null : memory.Count);
        var subscription = await RedisRetry.UntilAnsweredAsync(() => redis.SubscribeAsync(channel, cancellationToken), time, null, cancellationToken).ConfigureAwait(false);
        await using var brake = new StreamBrake(redis, pauseChannels, messages, memory is null ? null : memory.IsScarce, time);
        subscription.OnMessage(message => Receive((byte[])message.Message!, messages, brake));
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        try
        {
            await enqueue().ConfigureAwait(false);
            var result = results.WaitAsync(jobId, memory is null ? null : memory.ResultArrived, ended.Token);
            var reading = new Reading();
            while (true)
            {
                while (messages.TryRead(out var message))
                {
                    brake.Read();
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
                    brake.Read();
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
            messages.Drop();
        }
    }

    private static void Receive(byte[] message, DeltaBuffer messages, StreamBrake brake)
    {
        messages.Add(message);
        if (message.AsSpan().IndexOf((byte)'|') is > 0 and var end)
            brake.Arrived(Encoding.ASCII.GetString(message.AsSpan(0, end)));
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
