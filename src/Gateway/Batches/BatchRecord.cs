using System.Globalization;
using System.Text.Json;
using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>A batch as Redis has it.</summary>
internal sealed class BatchRecord
{
    /// <summary>A field: rows that had ended so when the driver of the batch looked last.</summary>
    public const string NotedCompleted = "noted_completed", NotedFailed = "noted_failed", NotedCancelled = "noted_cancelled";

    private readonly Dictionary<string, string> _fields;

    private BatchRecord(string owner, string id, Dictionary<string, string> fields)
    {
        Owner = owner;
        Id = id;
        _fields = fields;
    }

    public string Owner { get; }

    public string Id { get; }

    public string Status => _fields["status"];

    public bool IsOpen => BatchState.IsOpen(Status);

    public string Endpoint => _fields["endpoint"];

    public string InputFileId => _fields["input_file_id"];

    /// <summary>The file of completions, which need not be there.</summary>
    public string OutputId => _fields["output_id"];

    /// <summary>The file of errors, which need not be there.</summary>
    public string ErrorId => _fields["error_id"];

    public DateTimeOffset Created => DateTimeOffset.FromUnixTimeSeconds(Number("created_at"));

    public DateTimeOffset Expires => DateTimeOffset.FromUnixTimeSeconds(Number("expires_at"));

    public DateTimeOffset Cancelling => DateTimeOffset.FromUnixTimeSeconds(Number("cancelling_at"));

    /// <summary>When it has ended; when it was created, while it has not.</summary>
    public DateTimeOffset Ended => DateTimeOffset.FromUnixTimeSeconds(
        new[] { "created_at", "completed_at", "failed_at", "expired_at", "cancelled_at" }.Max(Number));

    /// <summary>How many rows it has; 0 while that is not known.</summary>
    public int Total => (int)Number("total");

    /// <summary>The models of its rows, which are queues.</summary>
    public IReadOnlyList<string> Models => Text("models")?.Split('\n') ?? [];

    /// <summary>How far its rows were when its driver looked last, about a second ago.</summary>
    public BatchProgress Noted => new(Total, Number(NotedCompleted), Number(NotedFailed), Number(NotedCancelled));

    /// <summary>Whether all its rows were put on their queues.</summary>
    public bool IsEnqueued => Text("enqueued") == "1";

    /// <summary>How long its files are kept, s; 0 for ever.</summary>
    public long OutputLife => Number("output_life");

    /// <summary>Reads the hash of a batch; null when there is none.</summary>
    public static BatchRecord? Read(string owner, string id, HashEntry[] hash) =>
        hash.Length == 0 ? null : new BatchRecord(owner, id, hash.ToStringDictionary());

    /// <summary>The batch for the wire.</summary>
    /// <param name="progress">How far its rows are; null for one that has ended, which knows it.</param>
    public BatchBody Body(BatchProgress? progress)
    {
        var counts = progress is null
            ? new BatchCounts(Total, Number("completed"), Number("failed"))
            : new BatchCounts(Total, progress.Completed, progress.Failed);
        // While it runs its files can be read, as soon as there is anything in them.
        var isLive = progress is not null && Total > 0;
        return new BatchBody
        {
            Id = Id,
            Endpoint = Endpoint,
            Model = Models.Count == 1 ? Models[0] : null,
            Errors = Text("errors") is { } errors ? new BatchFaults(JsonSerializer.Deserialize(errors, GatewayJson.Wire.IReadOnlyListBatchFault)!) : null,
            InputFileId = InputFileId,
            CompletionWindow = _fields["completion_window"],
            Status = Status,
            OutputFileId = isLive && counts.Completed > 0 ? OutputId : Text("output_file_id"),
            ErrorFileId = isLive && progress!.Failed + progress.Cancelled > 0 ? ErrorId : Text("error_file_id"),
            CreatedAt = Number("created_at"),
            InProgressAt = Time("in_progress_at"),
            ExpiresAt = Time("expires_at"),
            FinalizingAt = Time("finalizing_at"),
            CompletedAt = Time("completed_at"),
            FailedAt = Time("failed_at"),
            ExpiredAt = Time("expired_at"),
            CancellingAt = Time("cancelling_at"),
            CancelledAt = Time("cancelled_at"),
            RequestCounts = counts,
            Usage = BatchUsage.Of(Number("input_tokens"), Number("cached_tokens"), Number("output_tokens"), Number("reasoning_tokens")),
            Metadata = Text("metadata") is { } metadata ? JsonSerializer.Deserialize(metadata, GatewayJson.Wire.DictionaryStringString) : null,
        };
    }

    private string? Text(string name) => _fields.GetValueOrDefault(name);

    private long Number(string name) => Text(name) is { } text ? long.Parse(text, CultureInfo.InvariantCulture) : 0;

    private long? Time(string name) => Text(name) is { } text ? long.Parse(text, CultureInfo.InvariantCulture) : null;
}
