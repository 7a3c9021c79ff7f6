namespace LlmPipeline;

/// <summary>What a check found in an input file.</summary>
public sealed record InputSummary
{
    /// <summary>What the file holds; null when its first line can't tell, which is an error of that line.</summary>
    public required InputKind? Kind { get; init; }

    /// <summary>
    /// The rows without an error of their own, or as many as are taken of them at random. With no errors at all they are numbered from 1 to
    /// this.
    /// </summary>
    public required int Rows { get; init; }

    /// <summary>The rows, those that are not taken included.</summary>
    public int AllRows { get; init; }

    /// <summary>The lines that hold nothing but white space.</summary>
    public required int BlankLines { get; init; }

    /// <summary>The length of the file in bytes.</summary>
    public required long Bytes { get; init; }

    /// <summary>The SHA-256 of the file's bytes, lower-case hex.</summary>
    public required string ContentHash { get; init; }

    /// <summary>Model → how many rows go to it.</summary>
    public required IReadOnlyDictionary<string, int> Models { get; init; }

    /// <summary>OpenAI path → how many rows go to it. Empty for rows of a prompt function.</summary>
    public required IReadOnlyDictionary<string, int> Urls { get; init; }

    /// <summary>The first 20 errors, in the order of the file.</summary>
    public required IReadOnlyList<InputError> Errors { get; init; }

    /// <summary>How many errors there are. A file whose kind can't be told and a malformed CSV file are checked up to there only.</summary>
    public required long ErrorCount { get; init; }

    /// <summary>How many rows go to a model that they do not name themselves.</summary>
    public int RowsWithoutModel { get; init; }

    /// <summary>
    /// Where values of the field <c>id</c> repeat, so that it names no rows and these are <c>line-&lt;n&gt;</c>: the value and two lines that
    /// hold it. Null where it names them, or there is none.
    /// </summary>
    public RepeatedId? RepeatedId { get; init; }

    /// <summary>Whether all CSV files have the same columns in the same order.</summary>
    public bool HasOneHeader { get; init; }

    /// <summary>The delimiter of a CSV file.</summary>
    public char CsvDelimiter { get; init; } = ',';

    /// <summary>Whether the file begins with a byte order mark.</summary>
    public bool HasByteOrderMark { get; init; }

    /// <summary>The columns of a CSV file, without white space around them; null for other kinds. A column without a name is no variable.</summary>
    public IReadOnlyList<string>? CsvHeader { get; init; }
}
