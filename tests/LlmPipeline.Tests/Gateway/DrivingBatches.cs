namespace LlmPipeline;

public sealed class DrivingBatches
{
    private readonly string _owner = Stores.NewName("owner");

    [Theory, ClassData(typeof(Stores))]
    public async Task One_driver_at_a_time_holds_a_batch(Store store)
    {
        var (_, batches) = await RecordsAsync(store);
        var batch = await MakeAsync(store);

        Assert.True(await batches.TakeAsync(_owner, batch.Id, "one"));
        Assert.False(await batches.TakeAsync(_owner, batch.Id, "two"));
        Assert.True(await batches.TakeAsync(_owner, batch.Id, "one"));
        await batches.GiveUpAsync(_owner, batch.Id, "two");
        Assert.False(await batches.TakeAsync(_owner, batch.Id, "two"));
        await batches.GiveUpAsync(_owner, batch.Id, "one");
        Assert.True(await batches.TakeAsync(_owner, batch.Id, "two"));
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task Whoever_has_lost_the_lease_moves_nothing(Store store)
    {
        var (_, batches) = await RecordsAsync(store);
        var batch = await MakeAsync(store);
        await batches.TakeAsync(_owner, batch.Id, "new");

        Assert.False(await batches.MoveAsync(batch, "old", BatchState.InProgress, "total", 5));
        Assert.False(await batches.EndAsync(batch, "old", BatchState.Failed, null, null));
        Assert.Equal((BatchState.Validating, 0), await batches.FindAsync(_owner, batch.Id) is { } now ? (now.Status, now.Total) : default);
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task A_move_from_a_status_that_has_passed_does_nothing_and_one_made_twice_counts_once(Store store)
    {
        var (files, batches) = await RecordsAsync(store);
        var batch = await MakeAsync(store);
        await batches.TakeAsync(_owner, batch.Id, "me");
        Assert.True(await batches.MoveAsync(batch, "me", BatchState.InProgress, "total", 5));
        Assert.True(await batches.MoveAsync(batch, "me", BatchState.InProgress, "total", 7));
        Assert.Equal(BatchState.Cancelling, await batches.CancelAsync(_owner, batch.Id));
        var running = (await batches.FindAsync(_owner, batch.Id))!;
        Assert.Equal(5, running.Total);

        Assert.False(await batches.MoveAsync(batch, "me", BatchState.Finalizing));
        Assert.Equal(FileDeletion.InUse, await files.DeleteAsync(_owner, batch.InputFileId));
        Assert.True(await batches.EndAsync(running, "me", BatchState.Cancelled, 10, null));
        Assert.True(await batches.EndAsync(running, "me", BatchState.Cancelled, 10, null));

        Assert.Equal(FileDeletion.Deleted, await files.DeleteAsync(_owner, batch.InputFileId));
        Assert.Equal(10, (await files.FindAsync(_owner, batch.OutputId))!.Bytes);
        Assert.Null(await files.FindAsync(_owner, batch.ErrorId));
        Assert.Null(await batches.FindByLiveFileAsync(_owner, batch.OutputId));
        Assert.Empty(await batches.OpenAsync(_owner));
    }

    [Theory, ClassData(typeof(Stores))]
    public async Task A_batch_made_twice_under_one_id_is_one(Store store)
    {
        var (files, batches) = await RecordsAsync(store);
        var batch = await MakeAsync(store);

        Assert.Equal(BatchCreation.Made, await batches.CreateAsync(_owner, batch.Id, Request(batch.InputFileId), 10));

        Assert.Equal([batch.Id], await batches.OpenAsync(_owner));
        await batches.TakeAsync(_owner, batch.Id, "me");
        await batches.EndAsync(batch, "me", BatchState.Failed, null, null);
        Assert.Equal(FileDeletion.Deleted, await files.DeleteAsync(_owner, batch.InputFileId));
    }

    private static BatchRequest Request(string file) => new()
    {
        InputFileId = file,
        Endpoint = "/v1/chat/completions",
        CompletionWindow = "24h",
        Window = TimeSpan.FromDays(1),
    };

    private static async Task<(FileRecords Files, BatchRecords Batches)> RecordsAsync(Store store)
    {
        var redis = await Stores.ConnectAsync(store);
        return (new FileRecords(redis, ""), new BatchRecords(redis, ""));
    }

    private async Task<BatchRecord> MakeAsync(Store store)
    {
        var (files, batches) = await RecordsAsync(store);
        var (file, id) = (FileId.New(), BatchRecords.NewId());
        await files.SaveAsync(_owner, file, "in.jsonl", FileRecords.Batch, 1, null);
        Assert.Equal(BatchCreation.Made, await batches.CreateAsync(_owner, id, Request(file), 10));
        return (await batches.FindAsync(_owner, id))!;
    }
}
