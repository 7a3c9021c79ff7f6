using System.Collections.Concurrent;

namespace LlmPipeline;

/// <summary>Completions that this process has just stored, until the collector takes them: it need not fetch them. What there is no room for is fetched.</summary>
/// <param name="isWanted">Whether the collector will ask for the job of this id.</param>
internal sealed class RunAnswers(Func<string, bool> isWanted)
{
    private const long MostBytes = 16 * 1024 * 1024;

    // What an answer takes beside its body, roughly.
    private const int Overhead = 1024;
    private readonly ConcurrentDictionary<string, JobResult> _answers = new();
    private long _bytes;

    /// <summary>Keeps a completion that stands, and that nothing replaces any more.</summary>
    public void Add(JobResult result)
    {
        if (isWanted(result.JobId) && (Interlocked.Add(ref _bytes, SizeOf(result)) > MostBytes || !_answers.TryAdd(result.JobId, result)))
            Interlocked.Add(ref _bytes, -SizeOf(result));
    }

    /// <summary>Hands it out; null when it has to be fetched.</summary>
    public JobResult? Take(string jobId)
    {
        if (!_answers.TryRemove(jobId, out var result))
            return null;
        Interlocked.Add(ref _bytes, -SizeOf(result));
        return result;
    }

    private static int SizeOf(JobResult result) => result.Response.Length + Overhead;
}
