using System.Text.Json;

namespace LlmPipeline;

/// <summary>
/// How OpenAI-compatible servers differ, as data: <c>dialects.json</c>, explained in docs/providers.md. It only refines the general rules;
/// with <see cref="Empty"/> every outcome is still safe.
/// </summary>
internal sealed class DialectTable
{
    private const string Resource = "dialects.json";

    private static readonly Lazy<DialectTable> LazyDefault = new(Load);

    private readonly Dialect[] _matched;

    private DialectTable(IReadOnlyList<Dialect> rows)
    {
        Rows = rows;
        _matched = [.. rows.Where(row => row.Match is not null)];
    }

    /// <summary>The table that is shipped.</summary>
    public static DialectTable Default => LazyDefault.Value;

    /// <summary>No rows.</summary>
    public static DialectTable Empty { get; } = new([]);

    /// <summary>All rows, in the order of the file.</summary>
    public IReadOnlyList<Dialect> Rows { get; }

    /// <summary>Reads a table. Unknown and missing fields are errors.</summary>
    /// <exception cref="FormatException">It is not as it must be; the message says where.</exception>
    public static DialectTable Parse(ReadOnlySpan<byte> json)
    {
        try
        {
            return new DialectTable(JsonSerializer.Deserialize(json, DialectJson.Default.DialectFile)!.Dialects);
        }
        catch (Exception e) when (e is JsonException or ArgumentException)
        {
            // The second: a pattern that is no regular expression.
            throw new FormatException($"The dialect table cannot be read: {e.Message}", e);
        }
    }

    /// <summary>The first row that recognises an error; null for none, and the general rules decide.</summary>
    /// <param name="status">The HTTP status, or the numeric code of an error inside a 200.</param>
    /// <param name="code">The error's code as text.</param>
    /// <param name="type">The error's type.</param>
    /// <param name="message">The error's message.</param>
    public Dialect? Find(int status, string? code, string? type, string? message)
    {
        foreach (var row in _matched)
            if (row.Match!.Matches(status, code, type, message))
                return row;
        return null;
    }

    private static DialectTable Load()
    {
        using var stream = typeof(DialectTable).Assembly.GetManifestResourceStream(Resource)!;
        var json = new byte[stream.Length];
        stream.ReadExactly(json);
        return Parse(json);
    }
}
