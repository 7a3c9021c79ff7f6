namespace LlmPipeline;

/// <summary>One row of an input file: what becomes one job.</summary>
public sealed record InputRow
{
    /// <summary>Its number among the rows, from 1 and without gaps.</summary>
    public required int Number { get; init; }

    /// <summary>Its line in the file, from 1; in a CSV file the one where it starts.</summary>
    public required int Line { get; init; }

    /// <summary>Its name, unique in the file: its own <c>custom_id</c> (or a row's <c>id</c>), else <c>line-&lt;n&gt;</c> with its line.</summary>
    public required string CustomId { get; init; }

    /// <summary>The model that it goes to.</summary>
    public required string Model { get; init; }

    /// <summary>The OpenAI path, such as <c>/v1/chat/completions</c>; null for a row of a prompt function.</summary>
    public string? Url { get; init; }

    /// <summary>The request's body, UTF-8 JSON: the very bytes of the file, or made of a line of plain text. Empty for a row of a prompt function.</summary>
    public ReadOnlyMemory<byte> Body { get; init; }

    /// <summary>
    /// Variable → value, for a row of a prompt function; null for others. A JSON string is its text, null is the empty string, any other JSON value
    /// its JSON as it stands in the file. <c>custom_id</c> and <c>id</c> are variables too.
    /// </summary>
    public IReadOnlyDictionary<string, string>? Variables { get; init; }

    /// <summary>The cells of a row of a table, in the order of its columns; null for other kinds.</summary>
    public IReadOnlyList<string>? Cells { get; init; }

    /// <summary>The fields of a row as they stand in it, without the names that templates reach them by; null for other kinds.</summary>
    public IReadOnlyList<string>? FieldNames { get; init; }

    /// <summary>Whether the row itself names its model.</summary>
    internal bool HasOwnModel { get; init; }

    /// <summary>The field that <see cref="CustomId"/> was taken from; null when it was made of the line's number.</summary>
    internal string? IdField { get; init; }
}
