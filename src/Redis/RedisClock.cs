using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>
/// The time of Redis, which all processes share whatever their own clocks say. It is asked for at most once a minute, and once more when the connection was
/// lost; between that this process counts on with a timer that nobody can set.
/// </summary>
public sealed class RedisClock
{
    private static readonly TimeSpan Fresh = TimeSpan.FromMinutes(1);
    private readonly RedisConnections _redis;
    private readonly TimeProvider _time;
    private Look? _last;

    internal RedisClock(RedisConnections redis, TimeProvider time)
    {
        _redis = redis;
        _time = time;
    }

    /// <summary>What time it is on Redis, to about the time that a call takes.</summary>
    /// <exception cref="RedisConnectionException">It had to be asked, and doesn't answer.</exception>
    public async ValueTask<DateTimeOffset> NowAsync()
    {
        var version = _redis.Restored.Version;
        if (Volatile.Read(ref _last) is not { } last || last.Version != version || _time.GetElapsedTime(last.Stamp) > Fresh)
        {
            var asked = _time.GetTimestamp();
            // Seconds, and microseconds of the next one.
            var answer = (RedisResult[])(await _redis.Commands.ExecuteAsync("TIME").ConfigureAwait(false))!;
            var told = DateTimeOffset.FromUnixTimeSeconds((long)answer[0]).AddMicroseconds((long)answer[1]);
            last = new Look(told - (_time.GetElapsedTime(asked) / 2), asked, version);
            Volatile.Write(ref _last, last);
        }

        return last.Time + _time.GetElapsedTime(last.Stamp);
    }

    private sealed record Look(DateTimeOffset Time, long Stamp, long Version);
}
