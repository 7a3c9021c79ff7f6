namespace LlmPipeline;

/// <summary>Reads lines of one kind of file. Each line is one row.</summary>
internal abstract class RowParser(InputOptions options)
{
    protected InputOptions Options { get; } = options;

    /// <summary>Adds the names by which a template reaches variables that it could not name: <c>Review Text</c> is <c>Review_Text</c> too.</summary>
    internal static void AddReachable(Dictionary<string, string> variables)
    {
        List<(string Name, string Value)>? more = null;
        foreach (var (name, value) in variables)
        {
            if (name.Length > 0 && RowNames.Variable(name) is var variable && !ReferenceEquals(variable, name)) (more ??= []).Add((variable, value));
        }

        foreach (var (name, value) in more ?? []) variables.TryAdd(name, value);
    }

    /// <summary>
    /// Reads a line that is not blank and is valid UTF-8. Answers what is wrong with it, or null and the row.
    /// </summary>
    /// <param name="line">The line without its end.</param>
    /// <param name="place">The row's number and line.</param>
    /// <param name="whole">Whether the row is wanted with its body or variables; else they are only checked.</param>
    /// <param name="row">The row.</param>
    /// <exception cref="System.Text.Json.JsonException">The line is not valid JSON.</exception>
    public abstract RowFault? Parse(ReadOnlySpan<byte> line, RowPlace place, bool whole, out InputRow? row);

    public static RowParser For(InputKind kind, InputOptions options) => kind switch
    {
        InputKind.BatchLines => new RowBatchLine(options),
        InputKind.Requests => new RowRequest(options),
        InputKind.Rows => new RowObject(options),
        InputKind.Text => new RowText(options),
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "not a kind with a row on each line"),
    };
}

/// <summary>Where a row stands.</summary>
/// <param name="Number">Its number among the rows, from 1.</param>
/// <param name="Line">Its line in the file, from 1.</param>
/// <param name="Prefix">What goes before its name: the file, where there are several.</param>
internal readonly record struct RowPlace(int Number, int Line, string Prefix = "")
{
    /// <summary>The name of a row that has none of its own.</summary>
    public string Id => $"{Prefix}line-{Line}";
}
