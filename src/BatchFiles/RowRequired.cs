namespace LlmPipeline;

/// <summary>The variables that a prompt function needs, ticked off in one row after the other.</summary>
internal sealed class RowRequired(InputOptions options)
{
    private readonly string[] _names = [.. options.RequiredVariables];
    private readonly bool[] _found = new bool[options.RequiredVariables.Count];

    public void Clear() => Array.Clear(_found);

    public void Found(string name)
    {
        var at = Array.IndexOf(_names, name);
        if (at >= 0) _found[at] = true;
    }

    /// <summary>The first variable that the row doesn't hold; null when it holds all.</summary>
    public string? Missing => Array.IndexOf(_found, false) is >= 0 and var at ? _names[at] : null;

    /// <summary>What is wrong with a row that holds only these fields; null for nothing.</summary>
    public RowFault? Fault(IReadOnlyCollection<string> fields) => Missing is not { } name ? null
        : new(name, $"missing; {options.PromptShown} needs it, and the row has {Told(name, fields)}");

    /// <summary>What is wrong with a table that has only these columns; null for nothing.</summary>
    public RowFault? HeaderFault(IReadOnlyCollection<string> columns) => Missing is not { } name ? null
        : columns.Count == 1
            ? new(name, $"missing; {options.PromptShown} needs it, and the file has one column only: {Told(name, columns)}"
                + " (delimiters are , ; tab and |; a first line sep=X names another)")
            : new(name, $"missing; {options.PromptShown} needs it, and the file has the columns {Told(name, columns)}");

    private static string Told(string wanted, IReadOnlyCollection<string> names)
    {
        if (names.Count == 0) return "no fields";
        var nearest = RowNames.Nearest(wanted, names);
        return nearest is null
            ? RowNames.List(names)
            : $"{RowNames.List(names)}; is it {InputError.Shown(nearest)}?"
                + $" Then rename that, or write {{{{${RowNames.Variable(nearest)}}}}} in the template";
    }
}
