namespace LlmPipeline;

/// <summary>What became of the rows that were submitted.</summary>
/// <param name="Added">Rows that wait now and did not before.</param>
/// <param name="AlreadyThere">Rows that were on the queue.</param>
/// <param name="Ended">Rows that have a result.</param>
public sealed record SubmittedRows(int Added, int AlreadyThere, int Ended)
{
    /// <summary>All of them.</summary>
    public int Rows => Added + AlreadyThere + Ended;
}
