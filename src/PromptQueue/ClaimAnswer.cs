using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>Reads what <c>claim.lua</c> and <c>held.lua</c> answer.</summary>
internal static class ClaimAnswer
{
    public static ClaimResult Read(string queue, int partition, string token, RedisResult[] answer)
    {
        var first = 4 + (int)answer[3];
        var stopped = answer[4..first].Select(batch => (string)batch!).ToHashSet();
        var jobs = new List<ClaimedJob>((answer.Length - first) / 5);
        var unreadable = new List<UnreadableJob>();
        for (var i = first; i + 4 < answer.Length; i += 5)
        {
            var id = (string)answer[i]!;
            try
            {
                var job = Envelope.Decode(queue, id, (byte[])answer[i + 1]!);
                jobs.Add(new ClaimedJob(
                    job, partition, token, (int)answer[i + 2], (int)answer[i + 3], (int)answer[i + 4] == 1 || (job.Batch is not null && stopped.Contains(job.Batch))));
            }
            catch (FormatException e)
            {
                unreadable.Add(new UnreadableJob(id, queue, partition, token, e.Message));
            }
        }

        var due = (long)answer[1];
        return new ClaimResult(jobs, due < 0 ? null : TimeSpan.FromMilliseconds(due)) { Unreadable = unreadable, Paused = (int)answer[2] == 1 };
    }
}
