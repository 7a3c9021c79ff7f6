using System.Runtime.CompilerServices;

namespace LlmPipeline;

/// <summary>
/// The prompts of a run: a file of any kind, or several of the same kind, one after the other. It is read twice: <see cref="CheckAsync"/>
/// looks at all of it, then <see cref="ReadAsync"/> gives its rows. Both stream: what they hold does not grow with the file, but for some 40
/// bytes a name while rows that have names of their own are checked.
/// </summary>
public sealed class InputFile
{
    private readonly IReadOnlyList<InputPart> _parts;
    private readonly InputOptions _options;
    private bool _usesId = true;
    private InputSummary? _checked;

    private InputFile(IReadOnlyList<InputPart> parts, InputOptions options)
    {
        _parts = parts;
        _options = options;
        Path = parts[0].Shown + (parts.Count > 1 ? $" and {parts.Count - 1} more" : "");
    }

    /// <summary>For messages: the file's path as it was given; of several that of the first, and how many more there are.</summary>
    public string Path { get; }

    /// <summary>The paths as they were given.</summary>
    public IReadOnlyList<string> Paths => [.. _parts.Select(part => part.Path)];

    /// <summary>Makes sure that there is a file to read and that the options fit together.</summary>
    /// <param name="path">The file's path.</param>
    /// <param name="options">How to read it.</param>
    /// <exception cref="InputException">
    /// There is no such file, it is a directory, a pipe or a device, it is empty or not readable; or the model's name or a setting is not allowed.
    /// </exception>
    public static InputFile Open(string path, InputOptions options) => Open([path], options);

    /// <summary>The same for several files.</summary>
    /// <param name="paths">Their paths, at least one.</param>
    /// <param name="options">How to read them.</param>
    /// <exception cref="InputException">As for one.</exception>
    public static InputFile Open(IReadOnlyList<string> paths, InputOptions options)
    {
        if (RowModel.Fault(options.RowModel) is { } what) throw new InputException($"--model: {what}");
        foreach (var name in (string[])["model", "messages", "stream"])
        {
            if (options.Settings.ContainsKey(name)) throw new InputException($"--set {name}: {name} can't be set this way");
        }

        if (options.As is InputAs.Csv or InputAs.Rows && options.PromptName is null)
            throw new InputException($"--as {Shown(options.As)} needs --prompt NAME or --template TEXT, whose variables the fields are");
        if (options.As is InputAs.Text or InputAs.Batch && options.PromptName is not null)
            throw new InputException($"--as {Shown(options.As)} does not go with {options.PromptShown}: such lines are prompts themselves");
        foreach (var path in paths) InputContent.Open(path, options.Encoding).Dispose();
        return new InputFile([.. paths.Select(path => new InputPart(path, path == options.StandardInputPath ? "standard input" : null))], options);
    }

    /// <summary>
    /// Reads all of it and checks every row. An input with any error must not be run. Where values of the field <c>id</c> repeat, it is read
    /// twice, and no row is named by it.
    /// </summary>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="InputException">A file can't be read, has no rows at all, or changes meanwhile.</exception>
    public async Task<InputSummary> CheckAsync(CancellationToken cancellationToken = default)
    {
        _usesId = true;
        var (summary, repeated) = await CheckOnceAsync(cancellationToken);
        if (repeated is not null)
        {
            _usesId = false;
            (summary, _) = await CheckOnceAsync(cancellationToken);
        }

        summary = summary with { RepeatedId = repeated, Rows = Math.Min(summary.Rows, _options.Sample ?? int.MaxValue), AllRows = summary.Rows };
        _checked = summary.ErrorCount == 0 ? summary : null;
        return summary;
    }

    /// <summary>Gives the rows in order, up to the limit. It needs a check without errors before, and may be called again.</summary>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="InputException">
    /// A file is not the one that was checked. Its length and time of change are compared first and last, its bytes when all have been read.
    /// </exception>
    /// <exception cref="InvalidOperationException">There was no check, or it found errors.</exception>
    public async IAsyncEnumerable<InputRow> ReadAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var summary = _checked ?? throw new InvalidOperationException("An input is read after a check that found no errors.");
        if (_options.Limit <= 0) yield break;
        var sample = _options.Sample is { } size ? new InputSampler(summary.ContentHash, size, summary.AllRows) : null;
        var number = 0;
        foreach (var part in _parts)
        {
            await foreach (var row in part.ReadAsync(OptionsFor(part), cancellationToken))
            {
                if (sample?.Takes() == false) continue;
                number++;
                var isWhole = summary.HasOneHeader || row.Cells is null;
                yield return row.Number == number && isWhole ? row : row with { Number = number, Cells = isWhole ? row.Cells : null };
                if (number == _options.Limit)
                {
                    part.Compare();
                    yield break;
                }
            }
        }
    }

    private async Task<(InputSummary Summary, RepeatedId? Repeated)> CheckOnceAsync(CancellationToken cancellationToken)
    {
        var tally = new InputTally(_options.MaxRows, _options.IdColumn is null, _parts.Count > 1);
        foreach (var part in _parts)
        {
            await part.CheckAsync(OptionsFor(part), tally, cancellationToken);
            if (tally.RepeatedId is not null) break;
        }

        var summary = tally.Finish(_parts);
        if (summary is { Rows: 0, ErrorCount: 0 })
            throw new InputException(summary.CsvHeader is null ? $"{Path}: empty, it has only blank lines" : $"{Path}: no rows below the header") { IsEmpty = true };
        return (summary, tally.RepeatedId);
    }

    private InputOptions OptionsFor(InputPart part) => _options with
    {
        UsesId = _usesId,
        IsTable = part.IsTable,
        RowPrefix = _parts.Count == 1 ? "" : NameOf(part) + ":",
    };

    // Two folders may have a file of the same name.
    private string NameOf(InputPart part)
    {
        var name = System.IO.Path.GetFileName(part.Shown);
        return _parts.Count(other => System.IO.Path.GetFileName(other.Shown) == name) == 1 ? name : part.Shown;
    }

    private static string Shown(InputAs? kind) => kind.ToString()!.ToLowerInvariant();
}
