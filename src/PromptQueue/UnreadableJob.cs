namespace LlmPipeline;

/// <summary>
/// A claimed job whose envelope no longer makes sense: it was damaged, or written by a later version of the program. It is under a lease
/// like any other, and ends by <see cref="QueuePartition.BuryUnreadableAsync"/>.
/// </summary>
/// <param name="Id">The job.</param>
/// <param name="Queue">Its queue.</param>
/// <param name="Partition">The partition that it lies in.</param>
/// <param name="Token">The fence of this claim.</param>
/// <param name="Reason">What is wrong with it, for people; nothing of its content.</param>
public sealed record UnreadableJob(string Id, string Queue, int Partition, string Token, string Reason)
{
    /// <summary>The batch and the row that the id itself tells (<c>batch.row</c>); the envelope cannot be asked.</summary>
    internal (string Batch, int Row)? FromId() => FromId(Id);

    /// <inheritdoc cref="FromId()"/>
    internal static (string Batch, int Row)? FromId(string id) => RowId.Parse(id) is { } row ? (row.Batch, row.Row) : null;
}
