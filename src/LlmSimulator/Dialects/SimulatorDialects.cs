using System.Text.Json;

namespace LlmPipeline;

/// <summary>The dialect table as the simulator reads it, from the file that the worker reads too.</summary>
internal sealed class SimulatorDialects
{
    private const string Resource = "dialects.json";

    private static readonly Lazy<SimulatorDialects> LazyDefault = new(Load);

    private SimulatorDialects(PlayedFile file)
    {
        Rows = file.Dialects;
        Texts = new PlayedText(file.Texts);
    }

    /// <summary>The table that is shipped.</summary>
    public static SimulatorDialects Default => LazyDefault.Value;

    /// <summary>All rows, in the order of the file.</summary>
    public IReadOnlyList<PlayedDialect> Rows { get; }

    /// <summary>Fills in their texts.</summary>
    public PlayedText Texts { get; }

    /// <summary>The row of a name, or the rows of a provider; empty for an unknown name.</summary>
    public IReadOnlyList<PlayedDialect> Find(string name) =>
        Rows.FirstOrDefault(row => row.Name == name) is { } one ? [one] : [.. Rows.Where(row => row.Provider == name)];

    private static SimulatorDialects Load()
    {
        using var stream = typeof(SimulatorDialects).Assembly.GetManifestResourceStream(Resource)!;
        return new SimulatorDialects(JsonSerializer.Deserialize(stream, PlayedJson.Default.PlayedFile)!);
    }
}
