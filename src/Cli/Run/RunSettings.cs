using System.Text.Json;

namespace LlmPipeline;

/// <summary>Reads <c>--set NAME=VALUE</c>: the value is JSON where it can be read as such, else text.</summary>
internal static class RunSettings
{
    /// <exception cref="CliException">One has no name, or a name comes twice.</exception>
    public static IReadOnlyDictionary<string, JsonElement> Parse(IReadOnlyList<string> pairs)
    {
        var settings = new Dictionary<string, JsonElement>(StringComparer.Ordinal);
        foreach (var pair in pairs)
        {
            var at = pair.IndexOf('=', StringComparison.Ordinal);
            if (at < 1)
                throw CliException.Usage($"--set {pair}: write NAME=VALUE, for example temperature=0");
            if (!settings.TryAdd(pair[..at], Value(pair[(at + 1)..])))
                throw CliException.Usage($"--set {pair[..at]}: is there twice");
        }

        return settings;
    }

    private static JsonElement Value(string text)
    {
        try
        {
            using var json = JsonDocument.Parse(text);
            return json.RootElement.Clone();
        }
        catch (JsonException)
        {
            return JsonSerializer.SerializeToElement(text);
        }
    }
}
