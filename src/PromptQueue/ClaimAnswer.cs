using System.Globalization;
using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>Reads what <c>claim.lua</c>, <c>held.lua</c>, <c>sweep.lua</c> and <c>hand.lua</c> answer.</summary>
/// <param name="queue">The queue.</param>
/// <param name="partition">Which of its partitions answered.</param>
/// <param name="token">The token of the claim.</param>
/// <param name="now">What time it was on Redis.</param>
/// <param name="here">What time it is by the clock of this process.</param>
internal sealed class ClaimAnswer(string queue, int partition, string token, DateTimeOffset now, DateTimeOffset here)
{
    private readonly List<ClaimedJob> _jobs = [];
    private readonly List<UnreadableJob> _unreadable = [];

    /// <param name="queue">The queue.</param>
    /// <param name="partition">Which of its partitions answered.</param>
    /// <param name="token">The token of the claim.</param>
    /// <param name="answer">As the scripts' heads tell.</param>
    /// <param name="here">What time it is by the clock of this process.</param>
    public static ClaimResult Read(string queue, int partition, string token, RedisResult[] answer, DateTimeOffset here)
    {
        var read = new ClaimAnswer(queue, partition, token, DateTimeOffset.FromUnixTimeMilliseconds((long)answer[1]), here);
        var first = 6 + (int)answer[5];
        var stopped = answer[6..first].Select(batch => (string)batch!).ToHashSet();
        var states = ((string)answer[4]!).Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(State).ToDictionary(state => state.Place);
        for (var (i, place) = (first, 1); i + 1 < answer.Length; i += 2, place++)
        {
            // Nearly all are claimed for the first time.
            var (_, attempts, lost, asked, history) = states.Count == 0 ? default : states.GetValueOrDefault(place);
            read.Add((string)answer[i]!, (byte[])answer[i + 1]!, attempts, lost, asked, history, stopped);
        }

        var (due, flags) = ((long)answer[2], (int)answer[3]);
        return read.Result(due < 0 ? null : TimeSpan.FromMilliseconds(due)) with { Paused = (flags & 1) != 0, HasStood = (flags & 2) != 0, Stands = (flags & 4) != 0 };
    }

    /// <summary>The same of what a standing claim was answered.</summary>
    public static ClaimResult Read(string queue, int partition, HandedJob handed, DateTimeOffset here)
    {
        var read = new ClaimAnswer(queue, partition, handed.Token, handed.At, here);
        read.Add(handed.JobId, handed.Envelope, 0, 0, false, default, []);
        return read.Result(null) with { AreNew = handed.IsNew };
    }

    private void Add(string id, ReadOnlyMemory<byte> envelope, int attempts, int lost, bool asked, JobHistory history, HashSet<string> stopped)
    {
        try
        {
            var job = Envelope.Decode(queue, id, envelope);
            // From here on a deadline is compared with the clock of this process, which may be wrong; what is left of it is the same on both.
            _jobs.Add(new ClaimedJob(
                job.Deadline is null ? job : job with { Deadline = Envelope.Shifted(job.Deadline, here - now) }, partition, token, attempts, lost,
                asked || (job.Batch is not null && stopped.Contains(job.Batch)), now > job.Enqueued ? now - job.Enqueued : TimeSpan.Zero)
            {
                Used = history.Used,
                Refused = history.Refused is { } refused ? refused with { Since = refused.Since + (here - now) } : null,
                ClockOffset = here - now,
            });
        }
        catch (FormatException e)
        {
            _unreadable.Add(new UnreadableJob(id, queue, partition, token, e.Message));
        }
    }

    private ClaimResult Result(TimeSpan? due) => new(_jobs, due) { Unreadable = _unreadable, At = now };

    private static (int Place, int Attempts, int Lost, bool Asked, JobHistory History) State(string state)
    {
        var parts = state.Split('|');
        return (Number(parts[0]), Number(parts[1]), Number(parts[2]), parts[3] == "1", parts.Length > 4 ? JobHistory.Decode(parts[4]) : default);

        static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);
    }
}
