using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>Asking jobs to stop, and ending what waits of them or is past its deadline.</summary>
public sealed partial class QueuePartition
{
    /// <summary>Jobs are looked for in this many places, one after the other: the three lanes and the delayed.</summary>
    public const int Places = 4;

    /// <summary>Asks jobs to stop.</summary>
    /// <returns>For each job whether it was there and had not ended.</returns>
    internal Task<IReadOnlyList<bool>> CancelAsync(IReadOnlyList<string> ids) => InStepsAsync<string, bool>(ids, async step =>
    {
        var answer = await RunAsync(
            QueueScripts.Cancel, _redis.Commands, [_keys.Meta, _keys.Jobs, _keys.Delayed, _keys.Dead, _keys.Cancel],
            [_keys.Wake, _redis.PublishVerb, .. step.Select(id => (RedisValue)id)]).ConfigureAwait(false);
        return [.. answer.Skip(1).Select(a => (int)a == 1)];
    }, JobsPerLongCall);

    /// <summary>Asks the rows of a batch to stop, and makes those of them due that are delayed, in bounded steps.</summary>
    internal async Task StopAsync(string batch)
    {
        for (var passed = 0L; passed >= 0;)
        {
            var answer = await RunAsync(
                QueueScripts.Stop, _redis.Commands, [_keys.Meta, _keys.Delayed, _keys.Batch(batch), _keys.Stopped],
                [_keys.Wake, _redis.PublishVerb, (long)_options.BatchTtl.TotalSeconds, JobsPerCall, passed]).ConfigureAwait(false);
            passed = (long)answer[1];
        }
    }

    /// <summary>How long until the next deadline of a job here; null when none is to come.</summary>
    public async Task<TimeSpan?> UntilDeadlineAsync()
    {
        var now = (await _redis.Clock.NowAsync().ConfigureAwait(false)).ToUnixTimeMilliseconds();
        var next = await _redis.Commands.SortedSetRangeByScoreWithScoresAsync(_keys.Deadlines, now, exclude: Exclude.Start, take: 1).ConfigureAwait(false);
        return next.Length == 0 ? null : TimeSpan.FromMilliseconds(next[0].Score - now);
    }

    /// <summary>Takes under a lease what is asked to stop or past its deadline, from wherever it waits; one bounded step. Of a paused queue too: it is not run.</summary>
    /// <param name="token">The fence: as for a claim.</param>
    /// <param name="worker">This process; no <c>|</c>.</param>
    /// <param name="place">0, 1, 2: the lanes; 3: the delayed.</param>
    /// <param name="from">How many of them to pass over.</param>
    /// <param name="repeated">True when the answer to a step with this token was lost: what it took is answered again.</param>
    /// <returns>The jobs, and where to go on; -1 when all were looked at.</returns>
    public async Task<(ClaimResult Claimed, long Next)> SweepAsync(string token, string worker, int place, long from, bool repeated)
    {
        CheckName(token, nameof(token));
        CheckName(worker, nameof(worker));
        if (repeated && await HeldAsync(token).ConfigureAwait(false) is { IsEmpty: false } held)
            return (held, from);
        var isDelayed = place == Places - 1;
        var answer = await RunAsync(
            QueueScripts.Sweep, _redis.Once.Commands,
            [_keys.Meta, _keys.Jobs, isDelayed ? _keys.Delayed : _keys.Waiting[place], _keys.Inflight, _keys.Leases, _keys.Workers, _keys.Cancel, _keys.Stopped, _keys.Deadlines, _keys.Dead],
            [token, LeaseMilliseconds, worker, isDelayed ? 0 : place + 1, from, JobsPerSweep, BytesPerClaim]).ConfigureAwait(false);
        return (ClaimAnswer.Read(Queue, Index, token, answer, _time.GetUtcNow()), (long)answer[2]);
    }
}
