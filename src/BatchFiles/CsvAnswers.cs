using System.Text.Json;
using Microsoft.Win32.SafeHandles;

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
    /// <exception cref="OutputException">The disk is full or broken, or a file cannot be read.</exception>
    /// <exception cref="ArgumentException">No table was asked for, or a row has more cells than the header.</exception>
    public static async Task WriteAsync(
        OutputPaths paths, IReadOnlyList<string> header, IAsyncEnumerable<(int Row, IReadOnlyList<string> Cells)> rows, CancellationToken cancellationToken)
    {
        string path = paths.Csv ?? throw new ArgumentException("No table was asked for.", nameof(paths));
        using var results = new AnswerFile(paths.Results);
        using var errors = new AnswerFile(paths.Errors);
        await using var table = CsvTable.Create(path);
        (string answerColumn, string errorColumn) = ColumnsBeside(header);
        await table.WriteAsync([.. header, answerColumn, errorColumn], cancellationToken);

        var cells = new string[header.Count + 2];
        await foreach ((int row, IReadOnlyList<string> input) in rows.WithCancellation(cancellationToken))
        {
            if (input.Count > header.Count)
                throw new ArgumentException($"Row {row} has {input.Count} cells under {header.Count} columns.", nameof(rows));
            for (int i = 0; i < header.Count; i++)
                cells[i] = i < input.Count ? input[i] : "";
            cells[^2] = results.TextOf(row);
            cells[^1] = errors.TextOf(row);
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

    /// <summary>A file of lines in the order of rows, walked along with the rows.</summary>
    private sealed class AnswerFile : IDisposable
    {
        private readonly string _path;
        private readonly SafeFileHandle? _handle;
        private readonly OutputLineReader? _reader;
        private int _row;

        public AnswerFile(string path)
        {
            _path = path;
            if (OutputIdentity.KindOf(path) == OutputKind.Nothing)
                return;
            try
            {
                _handle = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
                _reader = new OutputLineReader(_handle, int.MaxValue / 2);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw OutputException.Unreadable(path, e);
            }
        }

        public string TextOf(int row)
        {
            while (_row < row && MoveNext())
            {
                if (OutputLineHead.TryRead(_reader!.Line.Span, out OutputLineHead head))
                    _row = head.Row;
            }

            if (_row != row || _reader is null)
                return "";
            using JsonDocument line = JsonDocument.Parse(_reader.Line, new JsonDocumentOptions { MaxDepth = int.MaxValue });
            return CsvAnswerText.Of(line.RootElement);
        }

        public void Dispose() => _handle?.Dispose();

        private bool MoveNext()
        {
            try
            {
                if (_reader is not null && _reader.MoveNext())
                    return true;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw OutputException.Unreadable(_path, e);
            }

            _row = int.MaxValue;
            return false;
        }
    }
}
