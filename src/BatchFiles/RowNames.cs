using System.Buffers;

namespace LlmPipeline;

/// <summary>Names of columns and fields as messages tell them.</summary>
internal static class RowNames
{
    private const int Most = 20;

    private static readonly SearchValues<char> OfVariables = SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");

    // How many letters may differ for a name to be meant.
    private const int MostEdits = 2;

    /// <summary>The names, separated by commas; the first of many.</summary>
    public static string List(IReadOnlyCollection<string> names)
    {
        var shown = string.Join(", ", names.Take(Most).Select(name => name.Length == 0 ? "(unnamed)" : InputError.Shown(name)));
        return names.Count > Most ? $"{shown} and {names.Count - Most} more" : shown;
    }

    /// <summary>The known name that is most like a wanted one; null when none is like it.</summary>
    public static string? Nearest(string wanted, IEnumerable<string> known)
    {
        var nearest = known.Select(name => (Name: name, Edits: EditsBetween(Folded(wanted), Folded(name))))
            .OrderBy(one => one.Edits).FirstOrDefault((Name: "", Edits: int.MaxValue));
        return nearest.Edits <= Math.Min(MostEdits, wanted.Length / 2) ? nearest.Name : null;
    }

    /// <summary>
    /// The name by which a template reaches a column: letters of ASCII, digits and <c>_</c>; any other character is a <c>_</c>.
    /// </summary>
    public static string Variable(string name)
    {
        if (name.AsSpan().IndexOfAnyExcept(OfVariables) < 0) return name;
        return string.Concat(name.Select(c => OfVariables.Contains(c) ? c : '_'));
    }

    // Letters in either case and what separates words make no difference.
    private static string Folded(string name) => Variable(name).Replace("_", "", StringComparison.Ordinal).ToUpperInvariant();

    /// <summary>Levenshtein's distance, row by row.</summary>
    public static int EditsBetween(string a, string b)
    {
        var row = Enumerable.Range(0, b.Length + 1).ToArray();
        for (var i = 1; i <= a.Length; i++)
        {
            var diagonal = row[0];
            row[0] = i;
            for (var j = 1; j <= b.Length; j++)
                (diagonal, row[j]) = (row[j], Math.Min(Math.Min(row[j], row[j - 1]) + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)));
        }

        return row[^1];
    }
}
