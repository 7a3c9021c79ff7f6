using Microsoft.AspNetCore.Http;

namespace LlmPipeline;

/// <summary>The calls as they arrived.</summary>
internal sealed class RequestLog
{
    private readonly Lock _lock = new();
    private readonly List<RecordedRequest> _requests = [];

    /// <summary>All so far, in order of arrival.</summary>
    public IReadOnlyList<RecordedRequest> All
    {
        get
        {
            lock (_lock)
                return [.. _requests];
        }
    }

    /// <summary>Keeps a call.</summary>
    public void Add(HttpRequest request, string? jobId, byte[] body)
    {
        var headers = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (name, value) in request.Headers)
        {
            var lower = name.ToLowerInvariant();
            if (lower is not ("authorization" or "api-key"))
                headers[lower] = value.ToString();
        }
        var kept = new RecordedRequest { Path = request.Path.ToUriComponent() + request.QueryString, JobId = jobId, Headers = headers, Body = body };
        lock (_lock)
            _requests.Add(kept);
    }

    /// <summary>Forgets all.</summary>
    public void Clear()
    {
        lock (_lock)
            _requests.Clear();
    }
}
