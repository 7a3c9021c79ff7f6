namespace LlmPipeline;

/// <summary>Another run of the batch is live.</summary>
/// <param name="batch">The batch.</param>
/// <param name="owner">The other run.</param>
public sealed class BatchLockedException(string batch, string owner)
    : Exception($"batch {batch} is run by {owner} now; a second run of it would call its rows twice")
{
    /// <summary>The batch.</summary>
    public string Batch => batch;

    /// <summary>The other run.</summary>
    public string Owner => owner;
}
