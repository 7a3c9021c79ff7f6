using System.Collections.Concurrent;

namespace LlmPipeline;

/// <summary>The keys of the rows that are out, until their lines are written.</summary>
internal sealed class RunRequests(RunPlan plan)
{
    private readonly RequestKey _key = new(plan);
    private readonly ConcurrentDictionary<int, string> _keys = new();

    /// <summary>Notes rows. One thread at a time.</summary>
    public void Add(IEnumerable<Job> jobs)
    {
        foreach (var job in jobs)
            _keys[job.Row] = _key.Of(job);
    }

    /// <summary>The key of a row whose line is written; null for one that was not noted.</summary>
    public string? Take(int row) => _keys.TryRemove(row, out var key) ? key : null;
}
