namespace LlmPipeline;

/// <summary>What an output holds of a row.</summary>
public enum RowState
{
    /// <summary>Nothing: the row is still to be run.</summary>
    Missing,

    /// <summary>A completion.</summary>
    Completed,

    /// <summary>An error.</summary>
    Failed,
}
