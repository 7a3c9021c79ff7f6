using System.Globalization;
using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>Reads what <c>claim.lua</c>, <c>held.lua</c> and <c>sweep.lua</c> answer.</summary>
internal static class ClaimAnswer
{
    /// <param name="queue">The queue.</param>
    /// <param name="partition">Which of its partitions answered.</param>
    /// <param name="token">The token of the claim.</param>
    /// <param name="answer">As the scripts' heads tell.</param>
    /// <param name="here">What time it is by the clock of this process.</param>
    public static ClaimResult Read(string queue, int partition, string token, RedisResult[] answer, DateTimeOffset here)
    {
        var now = DateTimeOffset.FromUnixTimeMilliseconds((long)answer[1]);
        var first = 5 + (int)answer[4];
        var stopped = answer[5..first].Select(batch => (string)batch!).ToHashSet();
        var jobs = new List<ClaimedJob>((answer.Length - first) / 3);
        var unreadable = new List<UnreadableJob>();
        for (var i = first; i + 2 < answer.Length; i += 3)
        {
            var id = (string)answer[i]!;
            var (attempts, lost, asked) = State((string)answer[i + 2]!);
            try
            {
                var job = Envelope.Decode(queue, id, (byte[])answer[i + 1]!);
                // From here on a deadline is compared with the clock of this process, which may be wrong; what is left of it is the same on both.
                jobs.Add(new ClaimedJob(
                    job.Deadline is null ? job : job with { Deadline = Envelope.Shifted(job.Deadline, here - now) }, partition, token, attempts, lost,
                    asked || (job.Batch is not null && stopped.Contains(job.Batch)), now > job.Enqueued ? now - job.Enqueued : TimeSpan.Zero));
            }
            catch (FormatException e)
            {
                unreadable.Add(new UnreadableJob(id, queue, partition, token, e.Message));
            }
        }

        var due = (long)answer[2];
        return new ClaimResult(jobs, due < 0 ? null : TimeSpan.FromMilliseconds(due)) { Unreadable = unreadable, Paused = (int)answer[3] == 1 };
    }
    private static (int Attempts, int Lost, bool Asked) State(string state)
    {
        // What nearly all say.
        if (state == "0|0|0")
            return (0, 0, false);
        var parts = state.Split('|');
        return (int.Parse(parts[0], CultureInfo.InvariantCulture), int.Parse(parts[1], CultureInfo.InvariantCulture), parts[2] == "1");
    }
}
