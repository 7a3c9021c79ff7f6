namespace LlmPipeline;

/// <summary>Removes a batch that has ended: the results of its rows, its files, its record. The record goes last, so that a call that was cut off can be repeated.</summary>
internal sealed class BatchDeleter(BatchRecords records, FileRecords files, FileFolder folder, GatewayParts parts)
{
    private readonly BatchForgetter _forgetter = new(parts.Queue, parts.Results);

    /// <returns>False: it has not ended, or rows of it have not.</returns>
    public async Task<bool> DeleteAsync(BatchRecord batch, CancellationToken cancellationToken)
    {
        if (batch.IsOpen
            || (await parts.Queue.Batches.FindAsync(batch.Id) is { } info && !await _forgetter.ForgetAsync(info, cancellationToken)))
            return false;
        foreach (var file in (string[])[batch.OutputId, batch.ErrorId])
        {
            if (await files.DeleteAsync(batch.Owner, file) != FileDeletion.Deleted)
                continue;
            folder.Remove(batch.Owner, file);
            await files.GoneAsync(batch.Owner, file);
        }

        await records.RemoveAsync(batch.Owner, batch.Id);
        return true;
    }
}
