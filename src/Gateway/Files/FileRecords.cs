using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>What is known of files, on Redis; never of another owner's.</summary>
internal sealed class FileRecords(RedisConnections redis, string prefix)
{
    public const string Batch = "batch";
    public const string BatchOutput = "batch_output";

    /// <summary>Notes that a file is about to be written, so that what is left of it is found if it never becomes whole.</summary>
    public async Task BeginAsync(string owner, string id)
    {
        var now = await redis.Clock.NowAsync();
        await redis.Commands.SetAddAsync(GatewayKeys.Owners(prefix), owner);
        await redis.Commands.SortedSetAddAsync(Keys(owner).Pending, id, now.ToUnixTimeMilliseconds());
    }

    /// <summary>Makes a file known that lies whole in the folder. Safe to repeat.</summary>
    public async Task<FileBody> SaveAsync(string owner, string id, string filename, string purpose, long bytes, TimeSpan? life)
    {
        var keys = Keys(owner);
        var times = (RedisResult[])(await GatewayScripts.SaveFile.RunAsync(
            redis.Commands, [keys.File(id), keys.Files, keys.FilesFor(purpose), keys.Expiry, keys.Pending],
            [id, (long)(life?.TotalSeconds ?? 0), "bytes", bytes, "filename", filename, "purpose", purpose]))!;
        return new FileBody
        {
            Id = id,
            Bytes = bytes,
            CreatedAt = (long)times[0],
            ExpiresAt = (long)times[1] is > 0 and var expires ? expires : null,
            Filename = filename,
            Purpose = purpose,
        };
    }

    /// <summary>A file of this owner; null when there is none of that id, or no longer.</summary>
    public async Task<FileBody?> FindAsync(string owner, string id)
    {
        if (!FileId.Is(id))
            return null;
        var file = FileBody.Read(id, await redis.Commands.HashGetAllAsync(Keys(owner).File(id)));
        return file?.ExpiresAt is { } expires && expires <= (await redis.Clock.NowAsync()).ToUnixTimeSeconds() ? null : file;
    }

    /// <summary>A page of the owner's files; null when the one to go on after is not among them.</summary>
    public async Task<ListBody<FileBody>?> ListAsync(string owner, string? purpose, ListQuery query)
    {
        var keys = Keys(owner);
        var page = await SortedPage.ReadAsync(redis.Commands, purpose is null ? keys.Files : keys.FilesFor(purpose), query);
        if (page is not { } ids)
            return null;
        var now = (await redis.Clock.NowAsync()).ToUnixTimeSeconds();
        var files = await Task.WhenAll(ids.Take(query.Limit).Select(async id => FileBody.Read(id, await redis.Commands.HashGetAllAsync(keys.File(id)))));
        var data = files.OfType<FileBody>().Where(f => f.ExpiresAt is null || f.ExpiresAt > now).ToList();
        return new ListBody<FileBody>(data, data.FirstOrDefault()?.Id, data.LastOrDefault()?.Id, ids.Count > query.Limit);
    }

    /// <summary>Forgets a file; the caller then removes it from the folder and calls <see cref="GoneAsync"/>.</summary>
    public async Task<FileDeletion> DeleteAsync(string owner, string id)
    {
        if (!FileId.Is(id))
            return FileDeletion.NotThere;
        var keys = Keys(owner);
        return (int)await GatewayScripts.DeleteFile.RunAsync(
            redis.Commands, [keys.File(id), keys.Files, keys.Expiry, keys.Pending, keys.FilesFor(Batch), keys.FilesFor(BatchOutput)], [id]) switch
        {
            1 => FileDeletion.Deleted,
            0 => FileDeletion.NotThere,
            _ => FileDeletion.InUse,
        };
    }

    /// <summary>Notes that nothing of a file is left in the folder.</summary>
    public Task GoneAsync(string owner, string id) => redis.Commands.SortedSetRemoveAsync(Keys(owner).Pending, id);

    /// <summary>Everybody who has anything here.</summary>
    public async Task<IReadOnlyList<string>> OwnersAsync() =>
        [.. (await redis.Commands.SetMembersAsync(GatewayKeys.Owners(prefix))).Select(o => (string)o!)];

    /// <summary>Files whose time is over.</summary>
    public async Task<IReadOnlyList<string>> ExpiredAsync(string owner, DateTimeOffset now) =>
        [.. (await redis.Commands.SortedSetRangeByScoreAsync(Keys(owner).Expiry, 0, now.ToUnixTimeSeconds(), take: 1000)).Select(id => (string)id!)];

    /// <summary>Files that were begun, or forgotten, before a time and may still lie in the folder.</summary>
    public async Task<IReadOnlyList<string>> PendingAsync(string owner, DateTimeOffset before) =>
        [.. (await redis.Commands.SortedSetRangeByScoreAsync(Keys(owner).Pending, 0, before.ToUnixTimeMilliseconds(), take: 1000)).Select(id => (string)id!)];

    private GatewayKeys Keys(string owner) => new(prefix, owner);
}

/// <summary>What became of a wish to delete a file.</summary>
internal enum FileDeletion
{
    Deleted,
    NotThere,

    /// <summary>An open batch reads it.</summary>
    InUse,
}
