using System.Runtime.CompilerServices;

namespace LlmPipeline;

/// <summary>One file of an input.</summary>
internal sealed class InputPart(string path, string? shown = null)
{
    private InputStamp? _checked;

    public string Path { get; } = path;

    /// <summary>What messages call it.</summary>
    public string Shown { get; } = shown ?? path;

    /// <summary>Whether the file's name says that it is a table (.csv, .tsv), compressed or not.</summary>
    public bool IsTable
    {
        get
        {
            var name = Path;
            foreach (var packed in (string[])[".gz", ".zst"])
            {
                if (name.EndsWith(packed, StringComparison.OrdinalIgnoreCase)) name = name[..^packed.Length];
            }

            return System.IO.Path.GetExtension(name).ToUpperInvariant() is ".CSV" or ".TSV";
        }
    }

    /// <summary>What was checked; null before.</summary>
    public InputStamp? Stamp => _checked;

    /// <summary>How the file was found; null before it was checked.</summary>
    public InputForm? Form { get; private set; }

    /// <summary>Checks the rows. It ends early where the field <c>id</c> turns out to name none.</summary>
    /// <exception cref="InputException">The file can't be read, or changes meanwhile.</exception>
    public async Task CheckAsync(InputOptions options, InputTally tally, CancellationToken cancellationToken)
    {
        using var content = InputContent.Open(Path, options.Encoding);
        using var lines = new InputLines(content, options.MaxRowBytes);
        var stamp = content.Stamp;
        var source = new RowSource(lines, options, whole: false);
        await foreach (var result in source.ReadAsync(cancellationToken))
        {
            tally.Add(result, source.Kind, Shown);
            if (tally.RepeatedId is not null) return;
        }

        while (await lines.FillAsync(cancellationToken)) lines.Drop();
        stamp = stamp with { Hash = lines.TakeHash() };
        if (content.BytesRead != stamp.Bytes || stamp.Differs(Path)) throw Changed("while it was being checked");
        Form = new InputForm(source.Kind, source.BlankLines, source.CsvHeader, source.CsvDelimiter, content.HasMark);
        _checked = stamp;
    }

    /// <summary>Gives the rows, numbered within the file.</summary>
    /// <exception cref="InputException">The file is not the one that was checked.</exception>
    public async IAsyncEnumerable<InputRow> ReadAsync(InputOptions options, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var stamp = _checked!;
        using var content = InputContent.Open(Path, options.Encoding);
        using var lines = new InputLines(content, options.MaxRowBytes);
        if (content.Stamp.Differs(stamp)) throw Changed("since it was checked");
        var source = new RowSource(lines, options, whole: true);
        await foreach (var (row, error) in source.ReadAsync(cancellationToken))
        {
            if (row is null) throw Changed($"since it was checked ({error!.Format(Shown)})");
            yield return row;
        }

        Compare();
        if (lines.IsAtEnd && lines.TakeHash() != stamp.Hash) throw Changed("since it was checked");
    }

    /// <summary>Compares length and time of change with what was checked.</summary>
    /// <exception cref="InputException">They differ.</exception>
    public void Compare()
    {
        if (_checked!.Differs(Path)) throw Changed("since it was checked");
    }

    private InputException Changed(string when) => new($"{Shown}: the file has changed {when}") { HasChanged = _checked is not null };
}

/// <summary>How a file was found.</summary>
/// <param name="Kind">What it holds; null when its first line can't tell.</param>
/// <param name="BlankLines">Lines that hold nothing.</param>
/// <param name="CsvHeader">The columns of a table.</param>
/// <param name="CsvDelimiter">Its delimiter.</param>
/// <param name="HasMark">Whether it begins with a byte order mark.</param>
internal sealed record InputForm(InputKind? Kind, int BlankLines, IReadOnlyList<string>? CsvHeader, char CsvDelimiter, bool HasMark);
