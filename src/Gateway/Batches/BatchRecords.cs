using System.Security.Cryptography;
using System.Text.Json;
using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>Batches on Redis; never another owner's. Every change is one script, and safe to repeat.</summary>
internal sealed class BatchRecords(RedisConnections redis, string prefix)
{
    private const string IdPrefix = "batch_";
    private const int MostExpired = 100;

    /// <summary>How long a driver holds a batch without a renewal.</summary>
    public static readonly TimeSpan Lease = TimeSpan.FromSeconds(15);

    public static string NewId() => IdPrefix + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));

    /// <summary>Makes a batch.</summary>
    public async Task<BatchCreation> CreateAsync(string owner, string id, BatchRequest request, int mostOpen)
    {
        var keys = Keys(owner);
        var metadata = request.Metadata is null ? [] : new RedisValue[] { "metadata", JsonSerializer.Serialize(request.Metadata, GatewayJson.Wire.DictionaryStringString) };
        return (int)await GatewayScripts.CreateBatch.RunAsync(
            redis.Commands, [keys.Batch(id), keys.Batches, keys.Open, keys.File(request.InputFileId)],
            [
                id, mostOpen, FileRecords.Batch, (long)request.Window.TotalSeconds,
                "endpoint", request.Endpoint, "input_file_id", request.InputFileId, "completion_window", request.CompletionWindow,
                "output_id", FileId.New(), "error_id", FileId.New(), "output_life", request.OutputLife, .. metadata,
            ]) switch
        {
            1 => BatchCreation.Made,
            0 => BatchCreation.NoSuchFile,
            -1 => BatchCreation.WrongPurpose,
            _ => BatchCreation.TooManyOpen,
        };
    }

    /// <summary>A batch of this owner; null when there is none of that id.</summary>
    public async Task<BatchRecord?> FindAsync(string owner, string id) =>
        IsId(id) ? BatchRecord.Read(owner, id, await redis.Commands.HashGetAllAsync(Keys(owner).Batch(id))) : null;

    /// <summary>A page of the owner's batches, and whether there are more; null when the one to go on after is not among them.</summary>
    public async Task<(IReadOnlyList<BatchRecord> Batches, bool HasMore)?> ListAsync(string owner, ListQuery query)
    {
        var keys = Keys(owner);
        if (await SortedPage.ReadAsync(redis.Commands, keys.Batches, query) is not { } ids)
            return null;
        var batches = await Task.WhenAll(ids.Take(query.Limit).Select(id => FindAsync(owner, id)));
        return ([.. batches.OfType<BatchRecord>()], ids.Count > query.Limit);
    }

    /// <summary>The owner's batches that have not ended, the oldest first.</summary>
    public async Task<IReadOnlyList<string>> OpenAsync(string owner) =>
        [.. (await redis.Commands.SortedSetRangeByRankAsync(Keys(owner).Open)).Select(id => (string)id!)];

    /// <summary>The running batch that will have a file; null for none.</summary>
    public async Task<BatchRecord?> FindByLiveFileAsync(string owner, string file) =>
        FileId.Is(file) && (string?)await redis.Commands.HashGetAsync(Keys(owner).Live, file) is { } id ? await FindAsync(owner, id) : null;

    /// <summary>Asks a batch to be cancelled.</summary>
    /// <returns>The status that stands now; null when there is no such batch.</returns>
    public async Task<string?> CancelAsync(string owner, string id) =>
        IsId(id) && (string?)await GatewayScripts.CancelBatch.RunAsync(redis.Commands, [Keys(owner).Batch(id)], []) is { Length: > 0 } status ? status : null;

    /// <summary>Takes or renews the lease of a batch.</summary>
    /// <returns>False: another holds it.</returns>
    public async Task<bool> TakeAsync(string owner, string id, string token) => await DriveAsync(owner, id, token, (long)Lease.TotalMilliseconds);

    /// <summary>Gives the lease up, if it is held.</summary>
    public Task GiveUpAsync(string owner, string id, string token) => DriveAsync(owner, id, token, 0);

    /// <summary>Moves a batch on. False: it has another status by now, or the lease is lost.</summary>
    public async Task<bool> MoveAsync(BatchRecord batch, string token, string to, params RedisValue[] fields)
    {
        var keys = Keys(batch.Owner);
        return (int)await GatewayScripts.MoveBatch.RunAsync(
            redis.Commands, [keys.Batch(batch.Id), keys.Lease(batch.Id), keys.Live], [token, batch.Status, to, batch.Id, .. fields]) == 1;
    }

    /// <summary>Notes that all rows are on their queues, which is so whoever says it.</summary>
    public Task MarkEnqueuedAsync(BatchRecord batch) => redis.Commands.HashSetAsync(Keys(batch.Owner).Batch(batch.Id), "enqueued", "1");

    /// <summary>Notes how far the rows of a running batch are, so that a list of batches need not ask their queues.</summary>
    public Task NoteAsync(BatchRecord batch, BatchProgress progress) => redis.Commands.HashSetAsync(
        Keys(batch.Owner).Batch(batch.Id),
        [
            new(BatchRecord.NotedCompleted, progress.Completed), new(BatchRecord.NotedFailed, progress.Failed),
            new(BatchRecord.NotedCancelled, progress.Cancelled),
        ]);

    /// <summary>Ends a batch. False: it has another status by now, or the lease is lost.</summary>
    /// <param name="batch">The batch.</param>
    /// <param name="token">Of the lease.</param>
    /// <param name="to">How it ends.</param>
    /// <param name="outputBytes">The length of its output; null for none.</param>
    /// <param name="errorBytes">The length of its errors; null for none.</param>
    /// <param name="fields">What else is known of it now.</param>
    public async Task<bool> EndAsync(BatchRecord batch, string token, string to, long? outputBytes, long? errorBytes, params RedisValue[] fields)
    {
        var keys = Keys(batch.Owner);
        return (int)await GatewayScripts.EndBatch.RunAsync(
            redis.Commands,
            [
                keys.Batch(batch.Id), keys.Lease(batch.Id), keys.Open, keys.Live, keys.File(batch.InputFileId), keys.Files,
                keys.FilesFor(FileRecords.BatchOutput), keys.Expiry, keys.File(batch.OutputId), keys.File(batch.ErrorId),
            ],
            [
                token, batch.Status, to, batch.Id, FileRecords.BatchOutput, batch.OutputLife,
                batch.OutputId, outputBytes ?? -1, batch.ErrorId, errorBytes ?? -1, .. fields,
            ]) == 1;
    }

    /// <summary>Removes an owner's batches that ended before a time, the oldest first, up to 100 of them. Their files have an end of their own.</summary>
    /// <returns>How many were removed.</returns>
    public async Task<int> ExpireAsync(string owner, DateTimeOffset before)
    {
        var (keys, removed) = (Keys(owner), 0);
        var oldest = await redis.Commands.SortedSetRangeByScoreAsync(keys.Batches, stop: before.ToUnixTimeMilliseconds() * 1000.0, take: MostExpired);
        foreach (var id in oldest.Select(id => (string)id!))
        {
            if (await FindAsync(owner, id) is not { } batch || (batch is { IsOpen: false, Ended: var ended } && ended < before))
            {
                await RemoveAsync(owner, id);
                removed++;
            }
        }

        return removed;
    }

    /// <summary>Removes a batch that has ended.</summary>
    public async Task RemoveAsync(string owner, string id)
    {
        await redis.Commands.KeyDeleteAsync(Keys(owner).Batch(id));
        await redis.Commands.SortedSetRemoveAsync(Keys(owner).Batches, id);
    }

    private static bool IsId(string id) =>
        id.Length == IdPrefix.Length + 32 && id.StartsWith(IdPrefix, StringComparison.Ordinal) && !id.AsSpan(IdPrefix.Length).ContainsAnyExcept("0123456789abcdef");

    private async Task<bool> DriveAsync(string owner, string id, string token, long milliseconds) =>
        (int)await GatewayScripts.DriveBatch.RunAsync(redis.Commands, [Keys(owner).Lease(id)], [token, milliseconds]) == 1;

    private GatewayKeys Keys(string owner) => new(prefix, owner);
}

/// <summary>What became of a wish for a batch.</summary>
internal enum BatchCreation
{
    Made,
    NoSuchFile,

    /// <summary>The file is an output.</summary>
    WrongPurpose,
    TooManyOpen,
}
