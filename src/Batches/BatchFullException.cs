namespace LlmPipeline;

/// <summary>A queue has no room for more rows of a batch. Submitting again adds the rest.</summary>
/// <param name="batch">The batch.</param>
/// <param name="rows">How many of its rows are on the queue or have ended.</param>
public sealed class BatchFullException(string batch, int rows) : Exception($"the queue is full after {rows} rows of batch {batch}")
{
    /// <summary>The batch.</summary>
    public string Batch => batch;

    /// <summary>How many of its rows are on the queue or have ended.</summary>
    public int Rows => rows;
}
