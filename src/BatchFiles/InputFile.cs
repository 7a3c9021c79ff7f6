using System.Runtime.CompilerServices;

namespace LlmPipeline;

/// <summary>
/// A file of prompts of any kind. It is read twice: <see cref="CheckAsync"/> looks at all of it, then <see cref="ReadAsync"/> gives its rows.
/// Both stream: what they hold does not grow with the file, but for some 40 bytes a name while rows that have names of their own are checked.
/// </summary>
public sealed class InputFile
{
    private readonly InputOptions _options;
    private InputStamp? _checked;

    private InputFile(string path, InputOptions options)
    {
        Path = path;
        _options = options;
    }

    /// <summary>The file's path as it was given.</summary>
    public string Path { get; }

    /// <summary>Makes sure that there is a file to read and that the options fit together.</summary>
    /// <param name="path">The file's path.</param>
    /// <param name="options">How to read it.</param>
    /// <exception cref="InputException">
    /// There is no such file, it is a directory, a pipe or a device, it is empty or not readable; or the model's name or a setting is not allowed.
    /// </exception>
    public static InputFile Open(string path, InputOptions options)
    {
        if (RowModel.Fault(options.RowModel) is { } what) throw new InputException($"--model: {what}");
        foreach (var name in (string[])["model", "messages", "stream"])
        {
            if (options.Settings.ContainsKey(name)) throw new InputException($"--set {name}: {name} can't be set this way");
        }

        using (InputStamp.OpenFile(path)) return new InputFile(path, options);
    }

    /// <summary>Reads the whole file once and checks every row. An input with any error must not be run.</summary>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="InputException">The file can't be read, has no rows at all, or changes meanwhile.</exception>
    public async Task<InputSummary> CheckAsync(CancellationToken cancellationToken = default)
    {
        using var file = InputStamp.OpenFile(Path);
        using var lines = new InputLines(file, _options.MaxRowBytes);
        var stamp = InputStamp.Of(file);
        var source = new RowSource(lines, _options, whole: false);
        var tally = new InputTally(_options.MaxRows);
        await foreach (var result in source.ReadAsync(cancellationToken)) tally.Add(result, source.Kind);
        while (await lines.FillAsync(cancellationToken)) lines.Drop();
        stamp = stamp with { Hash = lines.TakeHash() };
        if (lines.Bytes != stamp.Bytes || stamp.Differs(Path)) throw Changed("while it was being checked");
        var summary = tally.Finish(source, stamp);
        if (summary is { Rows: 0, ErrorCount: 0 })
            throw new InputException(source.CsvHeader is null ? $"{Path}: empty, it has only blank lines" : $"{Path}: no rows below the header") { IsEmpty = true };
        _checked = summary.ErrorCount == 0 ? stamp : null;
        return summary;
    }

    /// <summary>Gives the rows in order, up to the limit. It needs a check without errors before, and may be called again.</summary>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="InputException">
    /// The file is not the one that was checked. Its length and time of change are compared first and last, its bytes when all have been read.
    /// </exception>
    /// <exception cref="InvalidOperationException">There was no check, or it found errors.</exception>
    public async IAsyncEnumerable<InputRow> ReadAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var stamp = _checked ?? throw new InvalidOperationException("An input is read after a check that found no errors.");
        if (_options.Limit <= 0) yield break;
        using var file = InputStamp.OpenFile(Path);
        using var lines = new InputLines(file, _options.MaxRowBytes);
        if (InputStamp.Of(file).Differs(stamp)) throw Changed("since it was checked");

        var source = new RowSource(lines, _options, whole: true);
        await foreach (var (row, error) in source.ReadAsync(cancellationToken))
        {
            if (row is null) throw Changed($"since it was checked ({error!.Format(Path)})");
            yield return row;
            if (row.Number == _options.Limit) break;
        }

        var all = lines.IsAtEnd;
        if (stamp.Differs(Path) || (all && lines.TakeHash() != stamp.Hash)) throw Changed("since it was checked");
    }

    private InputException Changed(string when) => new($"{Path}: the file has changed {when}");
}
