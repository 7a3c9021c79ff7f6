namespace LlmPipeline;

/// <summary>Renders a finished output as a table: the input's columns, and of each row the answer or the error.</summary>
public static class CsvAnswers
{
    /// <summary>
    /// The names of the two added columns: <c>answer</c> and <c>error</c>; where the input has such a column of its own, <c>llm_answer</c> or <c>llm_error</c>,
    /// with a number behind it if that is taken too.
    /// </summary>
    public static (string Answer, string Error) ColumnsBeside(IReadOnlyCollection<string> header) => (Free("answer", header), Free("error", header));

    /// <summary>
    /// Writes <see cref="OutputPaths.Csv"/> from the results and errors files, which must be finished; call it while the output is still locked. The file is
    /// RFC 4180 in UTF-8, appears whole or not at all, and reads a line at a time. Both cells stay empty for a row that the files don't have.
    /// </summary>
    /// <param name="paths">The files; with a table.</param>
    /// <param name="header">The input's columns.</param>
    /// <param name="rows">The input's rows in order, each with its number from 1 and a cell for each column; missing ones at its end are empty.</param>
    /// <param name="cancellationToken">Ends the writing; an older table stays as it was.</param>
    /// <param name="form">How it is written; null for commas alone.</param>
    /// <exception cref="OutputException">The disk is full or broken, or a file cannot be read.</exception>
    /// <exception cref="ArgumentException">No table was asked for, or a row has more cells than the header.</exception>
    public static async Task WriteAsync(
        OutputPaths paths, IReadOnlyList<string> header, IAsyncEnumerable<(int Row, IReadOnlyList<string> Cells)> rows, CancellationToken cancellationToken,
        CsvForm? form = null)
    {
        form ??= new CsvForm();
        string path = paths.Csv ?? throw new ArgumentException("No table was asked for.", nameof(paths));
        int choices = CsvAnswerFile.MostChoices(paths.Results);
        using var results = new CsvAnswerFile(paths.Results);
        using var errors = new CsvAnswerFile(paths.Errors);
        await using var table = CsvTable.Create(path, form);
        List<string> names = [.. header];
        foreach (string field in form.AnswerFields)
            names.Add(Free(field, names));
        (string answerColumn, string errorColumn) = ColumnsBeside(names);
        names.Add(answerColumn);
        for (int choice = 2; choice <= choices; choice++)
            names.Add(Free($"{answerColumn}_{choice}", names));
        names.Add(errorColumn);
        await table.WriteAsync(names, cancellationToken);

        var cells = new string[names.Count];
        await foreach ((int row, IReadOnlyList<string> input) in rows.WithCancellation(cancellationToken))
        {
            if (input.Count > header.Count)
                throw new ArgumentException($"Row {row} has {input.Count} cells under {header.Count} columns.", nameof(rows));
            for (int i = 0; i < header.Count; i++)
                cells[i] = i < input.Count ? input[i] : "";
            IReadOnlyList<string> answers = results.TextsOf(row);
            IReadOnlyList<string> fields = CsvAnswerText.Fields(answers.Count > 0 ? answers[0] : "", form.AnswerFields);
            for (int i = 0; i < fields.Count; i++)
                cells[header.Count + i] = fields[i];
            int first = header.Count + fields.Count;
            for (int i = 0; i < choices; i++)
                cells[first + i] = i < answers.Count ? answers[i] : "";
            cells[^1] = errors.TextsOf(row) is [var error, ..] ? error : "";
            await table.WriteAsync(cells, cancellationToken);
        }

        await table.FinishAsync(cancellationToken);
    }

    private static string Free(string name, IReadOnlyCollection<string> header)
    {
        string free = name;
        for (int number = 1; header.Contains(free, StringComparer.OrdinalIgnoreCase); number++)
            free = number == 1 ? "llm_" + name : $"llm_{name}_{number}";
        return free;
    }
}
