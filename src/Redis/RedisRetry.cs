using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>Repeats calls that are safe to repeat, until Redis has answered them.</summary>
public static partial class RedisRetry
{
    private static readonly TimeSpan First = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(1);

    // Codes of a server that will take the same call later: it starts, fails over, is out of memory or disk, runs a long script, or its
    // cluster is being resharded (StackExchange.Redis follows one MOVED of a call).
    private static readonly string[] Passing = ["LOADING", "READONLY", "MISCONF", "OOM", "CLUSTERDOWN", "TRYAGAIN", "MASTERDOWN", "NOREPLICAS", "BUSY", "MOVED"];

    /// <summary>
    /// Makes a call, and makes it again while Redis doesn't answer, or answers that it cannot just now (it loads, fails over, is out of memory
    /// or cannot write to its disk). Between two calls it waits 50 ms, doubling up to 1 s, less up to half of it at random.
    /// </summary>
    /// <param name="call">The call; it may have taken effect although its answer was lost, so it must be safe to repeat.</param>
    /// <param name="time">The clock of the pauses.</param>
    /// <param name="logger">Told once when the call has to be repeated, and once when it was answered after that; null for nobody.</param>
    /// <param name="cancellationToken">Ends it at once, also in the middle of a call, which may then still take effect.</param>
    /// <returns>What the call returned.</returns>
    /// <exception cref="RedisServerException">Redis refuses the call for a reason that does not pass.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static Task<T> UntilAnsweredAsync<T>(
        Func<Task<T>> call, TimeProvider time, ILogger? logger = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(call);
        return UntilAnsweredAsync(_ => call(), time, logger, cancellationToken);
    }

    /// <summary>The same for a call that has to know whether it was made before: it gets false for the first, true for those that follow.</summary>
    /// <inheritdoc cref="UntilAnsweredAsync{T}(Func{Task{T}}, TimeProvider, ILogger, CancellationToken)"/>
    public static Task<T> UntilAnsweredAsync<T>(
        Func<bool, Task<T>> call, TimeProvider time, ILogger? logger = null, CancellationToken cancellationToken = default) =>
        UntilAnsweredAsync(call, MayPass, time, logger, cancellationToken);

    /// <summary>A call without an answer as one that answers true, for the methods of this class.</summary>
    internal static async Task<bool> DoneAsync(Task call)
    {
        await call.ConfigureAwait(false);
        return true;
    }

    /// <summary>The same for a caller to whom less may pass.</summary>
    internal static async Task<T> UntilAnsweredAsync<T>(
        Func<bool, Task<T>> call, Func<Exception, bool> mayPass, TimeProvider time, ILogger? logger, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(call);
        ArgumentNullException.ThrowIfNull(time);
        logger ??= NullLogger.Instance;
        var started = time.GetTimestamp();
        for (var failures = 0; ; failures++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            try
            {
                var answer = await call(failures > 0).WaitAsync(cancellationToken).ConfigureAwait(false);
                if (failures > 0)
                    LogAnswered(logger, failures + 1, time.GetElapsedTime(started).TotalSeconds);
                return answer;
            }
            catch (Exception e) when (mayPass(e))
            {
                // Which permission is missing is said once, not by each call.
                if (failures == 0 && e is not RedisDeniedException)
                    LogRepeating(logger, Reason(e));
            }

            await Task.Delay(Pause(failures, Random.Shared.NextDouble()), time, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>As <see cref="UntilAnsweredAsync{T}(Func{Task{T}}, TimeProvider, ILogger, CancellationToken)"/>, but only where no answer came at all, and not for ever.</summary>
    /// <param name="call">The call; it must be safe to repeat.</param>
    /// <param name="repeats">How often it is made again at most.</param>
    /// <param name="patience">Nor is it made again when the first was made so long ago.</param>
    /// <param name="time">The clock.</param>
    /// <param name="cancellationToken">Ends it at once, also in the middle of a call, which may then still take effect.</param>
    /// <returns>What the call returned.</returns>
    /// <exception cref="RedisException">What the last call ended with: a <see cref="RedisConnectionException"/>, or what Redis answered.</exception>
    /// <exception cref="RedisTimeoutException">The last call got no answer in time.</exception>
    public static async Task<T> SeveralTimesAsync<T>(
        Func<Task<T>> call, int repeats, TimeSpan patience, TimeProvider time, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(call);
        ArgumentNullException.ThrowIfNull(time);
        var started = time.GetTimestamp();
        for (var failures = 0; ; failures++)
        {
            try
            {
                return await call().WaitAsync(cancellationToken).ConfigureAwait(false);
            }
            catch (Exception e) when (e is RedisConnectionException or RedisTimeoutException && failures < repeats && time.GetElapsedTime(started) < patience)
            {
                await Task.Delay(Pause(failures + 2, Random.Shared.NextDouble()), time, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Whether a server has no memory left, by its <c>maxmemory</c>.</summary>
    public static bool IsFull(Exception exception) => exception is RedisServerException e && Says(e.Message, "OOM");

    /// <summary>Whether the same call may be answered later: no connection, no answer in time, a server that says "not now", or a permission that may come.</summary>
    public static bool MayPass(Exception exception) => exception switch
    {
        RedisConnectionException or RedisTimeoutException or ReplicasBehindException or RedisDeniedException => true,
        // The second: StackExchange.Redis was sent on to a server of the cluster that it has no connection to yet.
        RedisServerException e => Passing.Any(code => Says(e.Message, code)) || e.Message.Contains("hashslot", StringComparison.Ordinal),
        _ => false,
    };

    /// <summary>The pause after the n-th failure, from 0: 50 ms doubling up to 1 s, less up to half of it.</summary>
    internal static TimeSpan Pause(int failures, double random)
    {
        var full = failures < 5 ? First * (1 << failures) : Longest;
        return full * (1 - (random / 2));
    }

    // Redis 7 begins with the code, also for an error inside a script; Redis 6 and Garnet put words before it, and a dash or a blank.
    private static bool Says(string message, string code)
    {
        for (var at = message.IndexOf(code, StringComparison.Ordinal); at >= 0; at = message.IndexOf(code, at + 1, StringComparison.Ordinal))
        {
            var end = at + code.Length;
            if ((at == 0 || message[at - 1] is '-' or ' ') && (end == message.Length || message[end] == ' '))
                return true;
        }

        return false;
    }

    private static string Reason(Exception e) => e switch
    {
        RedisTimeoutException => "no answer in time",
        RedisConnectionException => "no connection",
        _ => e.Message,
    };

    [LoggerMessage(Level = LogLevel.Warning, Message = "Redis cannot take a call now ({Reason}); repeating it until it can")]
    private static partial void LogRepeating(ILogger logger, string reason);

    [LoggerMessage(Level = LogLevel.Information, Message = "Redis took the call at the {Count}. time, after {Seconds:0.0} s")]
    private static partial void LogAnswered(ILogger logger, int count, double seconds);
}
