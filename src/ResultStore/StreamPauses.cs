using System.Globalization;
using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>
/// Which streams of this process wait for a reader. A reader that is behind asks for a pause by a message on the channel of the process that streams, whose name
/// is in each delta, and repeats it while it is behind: a pause that is not repeated ends by itself, because its reader is gone.
/// </summary>
internal sealed class StreamPauses(RedisConnections redis, string channelStart, TimeProvider time)
{
    /// <summary>How often a reader that is behind repeats its message.</summary>
    public static readonly TimeSpan RepeatAfter = TimeSpan.FromSeconds(2);

    // Some repetitions may be lost or late.
    private static readonly TimeSpan EndsAfter = RepeatAfter * 4;

    private readonly string _process = Random.Shared.NextInt64().ToString("x16", CultureInfo.InvariantCulture);
    private readonly Lock _lock = new();
    private readonly Dictionary<string, Pause> _pauses = new(StringComparer.Ordinal);
    private Task? _listening;
    private int _runs;

    /// <summary>The name of a new stream: the process and a number.</summary>
    public string NewRun() => $"{_process}.{Interlocked.Increment(ref _runs)}";

    /// <summary>The channel on which the process of a stream receives the messages of readers; null for a process that takes none.</summary>
    public static string? ChannelOf(string channelStart, string run) => run.IndexOf('.') is > 0 and var end ? channelStart + run[..end] : null;

    /// <summary>The message of a reader.</summary>
    public static string Message(string run, string reader, bool isBehind) => $"{(isBehind ? "pause" : "resume")}|{run}|{reader}";

    /// <summary>Receives the messages of readers from now on. Where Redis does not answer, the next stream asks again.</summary>
    public async ValueTask ListenAsync(CancellationToken cancellationToken)
    {
        Task listening;
        lock (_lock)
        {
            if (_listening is null or { IsFaulted: true })
                _listening = SubscribeAsync();
            listening = _listening;
        }

        try
        {
            await listening.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (RedisRetry.MayPass(e))
        {
            // Without pauses a reader that is behind gets the result alone.
        }
    }

    /// <summary>Whether a reader of the stream is behind.</summary>
    public bool IsPaused(string run)
    {
        lock (_lock)
            return Find(run) is not null;
    }

    /// <summary>Waits until no reader of the stream is behind.</summary>
    /// <param name="run">The stream.</param>
    /// <param name="atMost">The longest wait.</param>
    /// <param name="cancellationToken">Ends the wait with an exception.</param>
    /// <returns>How long it has waited.</returns>
    public async ValueTask<TimeSpan> WaitAsync(string run, TimeSpan atMost, CancellationToken cancellationToken)
    {
        var began = 0L;
        while (true)
        {
            Task resumed;
            TimeSpan wait;
            lock (_lock)
            {
                if (Find(run) is not { } pause)
                    return began == 0 ? TimeSpan.Zero : time.GetElapsedTime(began);
                (resumed, wait) = (pause.Resumed.Task, pause.Left(time));
            }

            if (began == 0)
                began = time.GetTimestamp();
            var left = atMost - time.GetElapsedTime(began);
            if (left <= TimeSpan.Zero)
                return atMost;
            using var awake = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            await Task.WhenAny(resumed, Task.Delay(wait < left ? wait : left, time, awake.Token)).ConfigureAwait(false);
            await awake.CancelAsync().ConfigureAwait(false);
            cancellationToken.ThrowIfCancellationRequested();
        }
    }

    private async Task SubscribeAsync()
    {
        var messages = await redis.Once.SubscribeAsync(redis.Channel(channelStart + _process), CancellationToken.None).ConfigureAwait(false);
        messages.OnMessage(message => Receive((string)message.Message!));
    }

    private void Receive(string message)
    {
        if (message.Split('|') is not [var verb, var run, var reader])
            return;
        lock (_lock)
        {
            foreach (var other in _pauses.Keys.ToArray())
                Find(other);
            if (verb == "pause")
            {
                if (!_pauses.TryGetValue(run, out var pause))
                    _pauses.Add(run, pause = new Pause());
                pause.Readers[reader] = time.GetTimestamp();
            }
            else if (_pauses.TryGetValue(run, out var pause))
            {
                pause.Readers.Remove(reader);
                Find(run);
            }
        }
    }

    private Pause? Find(string run)
    {
        if (!_pauses.TryGetValue(run, out var pause))
            return null;
        foreach (var (reader, asked) in pause.Readers)
        {
            if (time.GetElapsedTime(asked) >= EndsAfter)
                pause.Readers.Remove(reader);
        }

        if (pause.Readers.Count > 0)
            return pause;
        _pauses.Remove(run);
        pause.Resumed.TrySetResult();
        return null;
    }

    private sealed class Pause
    {
        public Dictionary<string, long> Readers { get; } = new(StringComparer.Ordinal);

        public TaskCompletionSource Resumed { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public TimeSpan Left(TimeProvider time) => EndsAfter - time.GetElapsedTime(Readers.Values.Max()) is var left && left > TimeSpan.Zero ? left : TimeSpan.Zero;
    }
}
