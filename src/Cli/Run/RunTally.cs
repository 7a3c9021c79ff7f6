using System.Numerics;

namespace LlmPipeline;

/// <summary>What a run has brought so far, for the progress view and the report. Safe for use by many threads.</summary>
/// <param name="withoutKeys">Removes the keys of the deployments from what a provider wrote.</param>
internal sealed class RunTally(Func<string, string> withoutKeys)
{
    private const int LongestMessage = 300;

    private readonly Lock _lock = new();
    private readonly OrderedDictionary<string, int> _failures = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _messages = new(StringComparer.Ordinal);
    private readonly long[] _flagged = new long[32];
    private long _completed;
    private long _failed;
    private long _inputTokens;
    private long _cachedTokens;
    private long _outputTokens;
    private long _estimated;

    /// <summary>Rows of this run that ended with a completion.</summary>
    public long Completed => Interlocked.Read(ref _completed);

    /// <summary>Rows of this run that ended with an error.</summary>
    public long Failed => Interlocked.Read(ref _failed);

    public long InputTokens => Interlocked.Read(ref _inputTokens);

    /// <summary>Those of <see cref="InputTokens"/> that the provider had cached.</summary>
    public long CachedTokens => Interlocked.Read(ref _cachedTokens);

    public long OutputTokens => Interlocked.Read(ref _outputTokens);

    /// <summary>Rows of this run some of whose tokens no provider told.</summary>
    public long UsageEstimated => Interlocked.Read(ref _estimated);

    /// <summary>Completions of this run that are so.</summary>
    public long Flagged(AnswerFlags flag) => Interlocked.Read(ref _flagged[BitOperations.Log2((uint)flag)]);

    /// <summary>Kind of failure → rows.</summary>
    public IReadOnlyDictionary<string, int> Failures
    {
        get
        {
            lock (_lock)
                return new SortedDictionary<string, int>(_failures, StringComparer.Ordinal);
        }
    }

    /// <summary>Kind of failure → what the provider, or this program, said of the first row of that kind: one line without keys.</summary>
    public IReadOnlyDictionary<string, string> FailureMessages
    {
        get
        {
            lock (_lock)
                return new SortedDictionary<string, string>(_messages, StringComparer.Ordinal);
        }
    }

    /// <summary>Rows by kind of failure, the latest kinds first.</summary>
    public IReadOnlyList<KeyValuePair<string, int>> LatestFailures
    {
        get
        {
            lock (_lock)
                return [.. _failures.Reverse()];
        }
    }

    public void Add(JobResult result)
    {
        Interlocked.Add(ref _inputTokens, result.Meta.InputTokens);
        Interlocked.Add(ref _cachedTokens, result.Meta.CachedTokens);
        Interlocked.Add(ref _outputTokens, result.Meta.OutputTokens);
        if (result.Meta.UsageEstimated)
            Interlocked.Increment(ref _estimated);
        if (result.Status == ResultStatus.Completed)
        {
            Interlocked.Increment(ref _completed);
            foreach (var flag in Enum.GetValues<AnswerFlags>())
            {
                if (flag != AnswerFlags.None && result.Meta.Flags.HasFlag(flag))
                    Interlocked.Increment(ref _flagged[BitOperations.Log2((uint)flag)]);
            }

            return;
        }

        Interlocked.Increment(ref _failed);
        var kind = result.Meta switch
        {
            _ when result.Status != ResultStatus.Failed => result.Status.ToString().ToLowerInvariant(),
            { StatusCode: { } code and not (>= 200 and < 300), Error.Code: { } name } when name != $"http_{code}" => $"HTTP {code} {name}",
            { StatusCode: { } code and not (>= 200 and < 300) } => $"HTTP {code}",
            { Error.Code: { } name } => name,
            _ => "unknown",
        };
        lock (_lock)
        {
            // The latest kind is the last.
            var isNew = !_failures.Remove(kind, out var rows);
            _failures.Add(kind, rows + 1);
            if (isNew && Message(result) is { } message)
                _messages[kind] = message;
        }
    }

    private string? Message(JobResult result)
    {
        var said = result.Meta.StatusCode is not null && ProviderError.Read(result.Response).Message is { Length: > 0 } theirs
            ? theirs
            : result.Meta.Error?.Message;
        return said is null ? null : SafeText.Line(withoutKeys(said), LongestMessage);
    }
}
