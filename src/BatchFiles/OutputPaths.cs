using System.Buffers;

namespace LlmPipeline;

/// <summary>The files that one run writes, all in one folder.</summary>
public sealed record OutputPaths
{
    private const string ResultsEnd = ".results.jsonl";
    private static readonly string[] InputEnds = [".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".txt"];
    private static readonly string[] OutputEnds = [ResultsEnd, ".jsonl", ".ndjson", ".json", ".csv", ".tsv"];
    private static readonly string[] Packed = [".gz", ".zst"];

    private static readonly SearchValues<char> Letters = SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");

    private OutputPaths()
    {
    }

    /// <summary>Batch output lines of the completions.</summary>
    public required string Results { get; init; }

    /// <summary>Batch output lines of the rows that failed.</summary>
    public required string Errors { get; init; }

    /// <summary>The table that is rendered from the two; null when none was asked for.</summary>
    public required string? Csv { get; init; }

    /// <summary>The checkpoint: lines in order of ending while the run goes on.</summary>
    public string Partial => Results + ".partial";

    /// <summary>What the batch has cost so far; only where a price is known.</summary>
    public string Spent => Results + ".spent";

    internal string SortingResults => SortingOf(Results);

    internal string SortingErrors => SortingOf(Errors);

    /// <summary>
    /// Names the files. Without <paramref name="output"/> they lie beside the input: <c>a.jsonl</c>, <c>a.csv</c>, <c>a</c> → <c>a.results.jsonl</c> and
    /// <c>a.errors.jsonl</c>. <c>r.jsonl</c> or <c>r.results.jsonl</c> → that and <c>r.errors.jsonl</c>. <c>r.csv</c> → that, <c>r.results.jsonl</c> and
    /// <c>r.errors.jsonl</c>. A symbolic link is followed. Creates nothing.
    /// </summary>
    /// <param name="input">The input file; null when there is none to name them after or to keep safe.</param>
    /// <param name="output">What the user named as output; null for nothing.</param>
    /// <exception cref="OutputException">The output is no usable name, or one of the files is the input.</exception>
    public static OutputPaths For(string? input, string? output)
    {
        Check(output);
        if (output is null && input is null)
            throw OutputException.Refuse("an output has to be named");
        string stem = output is null ? Stem(Packed.Aggregate(input!, (path, end) => Stem(path, [end])), InputEnds) : Stem(output, OutputEnds);
        bool isCsv = output is not null && (output.EndsWith(".csv", StringComparison.OrdinalIgnoreCase) || IsTab(output));
        var paths = new OutputPaths
        {
            Results = OutputIdentity.Final(output is null || isCsv ? stem + ResultsEnd : output),
            Errors = OutputIdentity.Final(stem + ".errors.jsonl"),
            Csv = isCsv ? OutputIdentity.Final(output!) : null,
        };

        if (input is not null && paths.All().FirstOrDefault(path => OutputIdentity.AreSame(path, input)) is { } same)
        {
            throw OutputException.Refuse(same == output
                ? $"{same} is the input; choose another -o"
                : $"{same}, which the run would write, is the input; choose another -o");
        }

        return paths;
    }

    /// <summary>Whether the table is one of tabs (<c>.tsv</c>).</summary>
    public bool IsTabTable => Csv is not null && IsTab(Csv);

    /// <summary>The same for several inputs: it is named after the output, and none of them may be one of the files.</summary>
    /// <param name="inputs">The input files.</param>
    /// <param name="output">What the user named as output; null only for one input.</param>
    /// <exception cref="OutputException">As for one.</exception>
    public static OutputPaths ForAll(IReadOnlyList<string> inputs, string? output)
    {
        if (inputs.Count > 1 && output is null)
            throw OutputException.Refuse("several files are one batch: -o must name its output");
        return inputs.Select(input => For(input, output)).Last();
    }

    /// <summary>Every file that a run may write or replace.</summary>
    internal IEnumerable<string> All() =>
        Csv is null
            ? [Results, Errors, Partial, Spent, .. Temporary()]
            : [Csv, Results, Errors, Partial, Spent, .. Temporary()];

    /// <summary>What files are called until they are whole.</summary>
    internal IEnumerable<string> Temporary() => Csv is null ? [SortingResults, SortingErrors] : [SortingOf(Csv), SortingResults, SortingErrors];

    internal static string SortingOf(string path) => path + ".sorting.partial";

    internal static string FolderOf(string path) => Path.GetDirectoryName(path) is { Length: > 0 } folder ? folder : ".";

    private static void Check(string? output)
    {
        if (output is null)
            return;
        if (output.Length == 0)
            throw OutputException.Refuse("-o needs the name of a file");
        if (output.Contains('\0'))
            throw OutputException.Refuse("the name after -o holds a NUL character");
        if (Path.EndsInDirectorySeparator(output) || Path.GetFileName(output) is "." or "..")
            throw OutputException.Refuse($"{output} names a folder; -o needs the name of a file");
        if (Path.GetExtension(output) is { Length: > 1 } end && end.AsSpan(1).IndexOfAnyExcept(Letters) < 0 && !OutputEnds.Contains(end, StringComparer.OrdinalIgnoreCase))
            throw OutputException.Refuse($"{output}: {end} cannot be written; -o takes .jsonl for lines, .csv and .tsv for tables");
        if (IsStream(Path.GetFullPath(output)) || OutputIdentity.KindOf(output) == OutputKind.Special)
            throw OutputException.Refuse($"{output} is a device or a pipe; -o needs the name of a file");
    }

    private static bool IsTab(string path) => path.EndsWith(".tsv", StringComparison.OrdinalIgnoreCase);

    /// <summary>Names of open files: what they lead to may look like a file and is somebody else's.</summary>
    private static bool IsStream(string path) =>
        !OperatingSystem.IsWindows()
        && (path is "/dev/stdin" or "/dev/stdout" or "/dev/stderr"
            || path.StartsWith("/dev/fd/", StringComparison.Ordinal)
            || path.StartsWith("/proc/", StringComparison.Ordinal));

    /// <summary>The path without an ending that says what sort of file it is: <c>notes.v2</c> keeps its dot.</summary>
    private static string Stem(string path, string[] ends)
    {
        int name = Path.GetFileName(path).Length;
        string? end = ends.FirstOrDefault(known => name > known.Length && path.EndsWith(known, StringComparison.OrdinalIgnoreCase));
        return end is null ? path : path[..^end.Length];
    }
}
