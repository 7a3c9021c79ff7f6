namespace LlmPipeline;

/// <summary>How a file is read whatever its first line says (<c>--as</c>).</summary>
public enum InputAs
{
    /// <summary>Plain text, one prompt a line.</summary>
    Text,

    /// <summary>JSON objects, one a line, whose fields are the variables of a prompt.</summary>
    Rows,

    /// <summary>A table with a header, whose columns are the variables of a prompt.</summary>
    Csv,

    /// <summary>OpenAI Batch lines or bare request bodies.</summary>
    Batch,
}
