namespace LlmPipeline;

/// <summary>
/// Tells the delimiter of a CSV file: that of the comma, the semicolon, the tab and the bar of which the header and the first rows hold
/// equally many outside quotes, the most where several do so. Where none does, the comma if the header has one, else the semicolon or tab.
/// </summary>
internal static class RowCsvDelimiter
{
    private const string Candidates = ",;\t|";
    private const int Records = 20;

    /// <summary>The delimiter that a first line <c>sep=;</c> names, as Excel writes and reads it; null when the line is another.</summary>
    public static char? Named(ReadOnlySpan<char> line)
    {
        var text = line.TrimEnd("\r\n");
        if (text is ['"', .. var quoted, '"']) text = quoted;
        return text.Length == 5 && text.StartsWith("sep=", StringComparison.OrdinalIgnoreCase) ? text[4] : null;
    }

    /// <summary>The delimiter of a table that begins so; the text may end anywhere.</summary>
    public static char Of(ReadOnlySpan<char> text)
    {
        var counts = new List<int[]>();
        var (record, isQuoted, isBlank) = (new int[Candidates.Length], false, true);
        foreach (var c in text)
        {
            if (c == '"') isQuoted = !isQuoted;
            if (c is '\n' or '\r' && !isQuoted)
            {
                if (!isBlank) counts.Add(record);
                if (counts.Count == Records) break;
                (record, isBlank) = (new int[Candidates.Length], true);
                continue;
            }

            isBlank &= char.IsWhiteSpace(c);
            if (!isQuoted && Candidates.IndexOf(c, StringComparison.Ordinal) is >= 0 and var at) record[at]++;
        }

        // A record that may go on is counted only where there is no other.
        if (counts.Count == 0) counts.Add(record);
        var header = counts[0];
        var even = Enumerable.Range(0, Candidates.Length).Where(at => header[at] > 0 && counts.TrueForAll(one => one[at] == header[at])).ToList();
        if (even.Count > 0) return Candidates[even.MaxBy(at => header[at])];
        return header[0] > 0 ? ',' : header[1] > 0 ? ';' : header[2] > 0 ? '\t' : ',';
    }
}
