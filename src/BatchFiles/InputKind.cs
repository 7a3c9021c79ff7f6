namespace LlmPipeline;

/// <summary>What an input file holds, told by its first line that isn't blank.</summary>
public enum InputKind
{
    /// <summary>OpenAI Batch lines: <c>custom_id</c>, <c>method</c>, <c>url</c> and <c>body</c>.</summary>
    BatchLines,

    /// <summary>Bare request bodies, one JSON object a line.</summary>
    Requests,

    /// <summary>Rows for a prompt function, one JSON object a line; its fields are the variables.</summary>
    Rows,

    /// <summary>Rows for a prompt function in a CSV file with a header; its columns are the variables.</summary>
    CsvRows,

    /// <summary>Plain text, one prompt a line.</summary>
    Text,
}
