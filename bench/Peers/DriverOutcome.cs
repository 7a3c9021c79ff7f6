using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace LlmPipeline.Bench;

/// <summary>What the rounds of a driver said, or why one of them failed: then there is no figure of any.</summary>
internal sealed class DriverOutcome
{
    private readonly List<JsonObject> _lines = [];

    public string? Failure { get; private set; }

    public void Add(JsonObject line) => _lines.Add(line);

    public void Fail(string why) => Failure ??= why;

    /// <summary>The median of what the rounds say about <paramref name="name"/>.</summary>
    public Figure Median(string name, string unit)
    {
        if (Failure is { } failure)
            return Figure.Missing(failure);
        var values = new List<double>();
        foreach (var line in _lines)
        {
            if (Number(line, "failed") is > 0 and var failed)
                return Figure.Missing($"{failed:0} of {Number(line, "jobs"):0} calls failed");
            if (Number(line, name) is not { } value)
                return Figure.Missing($"its driver says no {name}");
            values.Add(value);
        }

        values.Sort();
        return values.Count == 0 ? Figure.Missing("it was not run") : Figure.Of(values[values.Count / 2], unit);
    }

    /// <summary>The last line that is a JSON object; null when there is none.</summary>
    public static JsonObject? Read(string output)
    {
        var last = output.Split('\n').LastOrDefault(line => line.StartsWith('{'));
        try
        {
            return last is null ? null : JsonNode.Parse(last) as JsonObject;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    // Some write their numbers as text.
    private static double? Number(JsonObject line, string name) => line[name] is not JsonValue value ? null
        : value.TryGetValue(out double number) ? number
        : value.TryGetValue(out string? text) && double.TryParse(text, CultureInfo.InvariantCulture, out number) ? number
        : null;
}
