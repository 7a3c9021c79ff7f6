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
    private readonly ConcurrentDictionary<string, JobResult> _unstored = new();
    private long _bytes;

    /// <summary>Keeps a completion that stands, and that nothing replaces any more.</summary>
    public void Add(JobResult result)
    {
        if (isWanted(result.JobId) && (Interlocked.Add(ref _bytes, SizeOf(result)) > MostBytes || !_answers.TryAdd(result.JobId, result)))
            Interlocked.Add(ref _bytes, -SizeOf(result));
    }

    /// <summary>Keeps a completion that the store refuses: there is no other copy, so that it is kept whatever its size.</summary>
    public void AddUnstored(JobResult result)
    {
        if (isWanted(result.JobId))
            _unstored[result.JobId] = result;
    }

    /// <summary>Whether a completion is one that the store refuses, and so holds an error of; true once.</summary>
    public bool TakeUnstored(string jobId) => _unstored.TryRemove(jobId, out _);

    /// <summary>Hands it out; null when it has to be fetched. One that the store refuses stays until <see cref="TakeUnstored"/>.</summary>
    public JobResult? Take(string jobId)
    {
        if (_unstored.TryGetValue(jobId, out var unstored))
            return unstored;
        if (!_answers.TryRemove(jobId, out var result))
            return null;
        Interlocked.Add(ref _bytes, -SizeOf(result));
        return result;
    }

    private static int SizeOf(JobResult result) => result.Response.Length + Overhead;
}
