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
        var first = 6 + (int)answer[5];
        var stopped = answer[6..first].Select(batch => (string)batch!).ToHashSet();
        var jobs = new List<ClaimedJob>((answer.Length - first) / 2);
        var unreadable = new List<UnreadableJob>();
        var states = ((string)answer[4]!).Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(State).ToDictionary(state => state.Place);
        for (var (i, place) = (first, 1); i + 1 < answer.Length; i += 2, place++)
        {
            var id = (string)answer[i]!;
            // Nearly all are claimed for the first time.
            var (_, attempts, lost, asked) = states.Count == 0 ? default : states.GetValueOrDefault(place);
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

    private static (int Place, int Attempts, int Lost, bool Asked) State(string state)
    {
        var parts = state.Split('|');
        return (Number(parts[0]), Number(parts[1]), Number(parts[2]), parts[3] == "1");

        static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);
    }
}
