namespace LlmPipeline;

/// <summary>How a table is written.</summary>
public sealed record CsvForm
{
    /// <summary>Between two cells; that of the input.</summary>
    public char Delimiter { get; init; } = ',';

    /// <summary>Whether it begins with a byte order mark, as Excel wants it.</summary>
    public bool HasByteOrderMark { get; init; }

    /// <summary>Whether cells that a spreadsheet would take for formulas get a <c>'</c> in front.</summary>
    public bool IsExcelSafe { get; init; }

    /// <summary>Fields of answers that are JSON objects: each gets a column.</summary>
    public IReadOnlyList<string> AnswerFields { get; init; } = [];
}
