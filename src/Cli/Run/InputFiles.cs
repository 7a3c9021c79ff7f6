namespace LlmPipeline;

/// <summary>The input files that a command names.</summary>
internal static class InputFiles
{
    /// <summary>
    /// The files, with those that a pattern matches in its place, in the order of their names. Outputs of runs do not match, nor what this
    /// run writes: the same command again has the same input.
    /// </summary>
    /// <param name="inputs">Names and patterns.</param>
    /// <param name="output">What the user named as output; null for nothing.</param>
    /// <exception cref="CliException">A pattern matches none, or a file is named twice.</exception>
    public static IReadOnlyList<string> Expand(IReadOnlyList<string> inputs, string? output)
    {
        var written = output is null or StandardInput.Name
            ? []
            : OutputPaths.For(null, output).All().Select(Path.GetFullPath).ToHashSet(StringComparer.Ordinal);
        var files = inputs.SelectMany(input => Matching(input, written)).ToList();
        var twice = files.GroupBy(Path.GetFullPath, StringComparer.Ordinal).FirstOrDefault(same => same.Count() > 1);
        return twice is null ? files : throw CliException.Usage($"{twice.First()} is named twice");
    }

    private static IReadOnlyList<string> Matching(string input, HashSet<string> written)
    {
        var name = Path.GetFileName(input);
        if (name.AsSpan().IndexOfAny('*', '?') < 0 || File.Exists(input))
            return [input];
        var folder = Path.GetDirectoryName(input) is { Length: > 0 } named ? named : ".";
        if (!Directory.Exists(folder))
            throw CliException.Usage($"{input}: there is no folder {folder}");
        var found = Directory.EnumerateFiles(folder, name, new EnumerationOptions { MatchType = MatchType.Simple, MatchCasing = MatchCasing.CaseSensitive })
            .Where(file => !IsOutput(file) && !written.Contains(Path.GetFullPath(file))).Order(StringComparer.Ordinal)
            .Select(file => folder == "." && !input.StartsWith('.') ? Path.GetFileName(file) : file).ToList();
        return found.Count > 0 ? found : throw CliException.Usage($"{input}: no file matches");
    }

    private static bool IsOutput(string file) =>
        file.EndsWith(".results.jsonl", StringComparison.Ordinal) || file.EndsWith(".errors.jsonl", StringComparison.Ordinal)
        || file.EndsWith(".partial", StringComparison.Ordinal) || file.EndsWith(".spent", StringComparison.Ordinal);
}
