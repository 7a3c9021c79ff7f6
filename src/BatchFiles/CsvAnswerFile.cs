using System.Text.Json;

namespace LlmPipeline;

/// <summary>The texts of the lines of a finished file, walked along with the rows.</summary>
internal sealed class CsvAnswerFile(string path) : IDisposable
{
    private static readonly JsonDocumentOptions AnyDepth = new() { MaxDepth = int.MaxValue };
    private readonly OutputLines _lines = new(path);

    /// <summary>The most choices that a line of the file has, at least 1.</summary>
    /// <exception cref="OutputException">The file cannot be read.</exception>
    public static int MostChoices(string path)
    {
        using var file = new CsvAnswerFile(path);
        int most = 1;
        for (; file._lines.Row is not null; file._lines.MoveNext())
            most = Math.Max(most, file.Texts().Count);
        return most;
    }

    /// <summary>The texts of a row's line, one a choice; empty when it has none. Rows are asked for in their order.</summary>
    public IReadOnlyList<string> TextsOf(int row)
    {
        while (_lines.Row < row)
            _lines.MoveNext();
        return _lines.Row == row ? Texts() : [];
    }

    public void Dispose() => _lines.Dispose();

    private IReadOnlyList<string> Texts()
    {
        using JsonDocument line = JsonDocument.Parse(_lines.Line, AnyDepth);
        return CsvAnswerText.AllOf(line.RootElement);
    }
}
