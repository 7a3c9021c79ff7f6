namespace LlmPipeline;

/// <summary>What a check found in an input file.</summary>
public sealed record InputSummary
{
    /// <summary>What the file holds; null when its first line can't tell, which is an error of that line.</summary>
    public required InputKind? Kind { get; init; }

    /// <summary>The rows without an error of their own. With no errors at all: the rows of the file, numbered from 1 to this.</summary>
    public required int Rows { get; init; }

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

    /// <summary>The columns of a CSV file, without white space around them; null for other kinds. A column without a name is no variable.</summary>
    public IReadOnlyList<string>? CsvHeader { get; init; }
}
