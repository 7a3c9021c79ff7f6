using Microsoft.Win32.SafeHandles;

namespace LlmPipeline;

/// <summary>What the files of an output held when it was opened: decides whether they may be used, and finds the rows in them.</summary>
internal sealed class OutputCheckpoint : IDisposable
{
    private readonly OutputPaths _paths;
    private readonly OutputBatch _batch;
    private readonly OutputOptions _options;
    private bool _hasRecord;

    private OutputCheckpoint(OutputPaths paths, OutputBatch batch, OutputOptions options)
    {
        _paths = paths;
        _batch = batch;
        _options = options;
    }

    public OutputIndex Index { get; } = new();

    /// <summary>The batch that the run is to use: that of the answers which stand, else its own.</summary>
    public string BatchId { get; private set; } = "";

    /// <summary>Where the checkpoint is to be cut.</summary>
    public long PartialEnd { get; private set; }

    /// <summary>Lines that were not whole; their rows run again.</summary>
    public int Dropped { get; private set; }

    /// <summary>Completions that hold no answer.</summary>
    public int Unanswered { get; private set; }

    /// <summary>Lines of a simulator.</summary>
    public int Simulated { get; private set; }

    /// <summary>The finished files as found; null where there is none.</summary>
    public (SafeFileHandle Handle, OutputScan Scan)? Results { get; private set; }

    /// <inheritdoc cref="Results"/>
    public (SafeFileHandle Handle, OutputScan Scan)? Errors { get; private set; }

    /// <exception cref="OutputException">Something stands there that must not be touched.</exception>
    public static OutputCheckpoint Read(OutputPaths paths, SafeFileHandle partial, OutputBatch batch, OutputOptions options, CancellationToken cancellationToken)
    {
        var checkpoint = new OutputCheckpoint(paths, batch, options);
        try
        {
            checkpoint.ReadPartial(partial, cancellationToken);
            checkpoint.Results = checkpoint.ReadFinished(paths.Results, OutputSource.Results, cancellationToken);
            checkpoint.Errors = checkpoint.ReadFinished(paths.Errors, OutputSource.Errors, cancellationToken);
            checkpoint.CheckCsv();
            if (checkpoint.BatchId.Length == 0)
                checkpoint.BatchId = batch.Id;
            return checkpoint;
        }
        catch
        {
            checkpoint.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        Results?.Handle.Dispose();
        Errors?.Handle.Dispose();
    }

    private void ReadPartial(SafeFileHandle partial, CancellationToken cancellationToken)
    {
        OutputScan scan = Scan(_paths.Partial, partial, OutputSource.Partial, cancellationToken);
        if (scan.IsForeign)
            Unless(_options.Force, $"{_paths.Partial} is in the way and no run has written it; choose another -o, or --force to overwrite it");
        foreach (string other in scan.Others)
        {
            // Of the same rows, but another run of them: only --again leads here, or two runs mixed by hand.
            if (_batch.Owns(other))
            {
                Unless(_options.Force, _options.Again
                    ? $"{_paths.Partial} holds an unfinished run of the same rows ({Shown(other)}); run without --again to continue it, or with --force to drop it"
                    : $"{_paths.Partial} holds the answers of several runs; choose another -o, or --force to drop those of {Shown(other)}");
            }
            else
            {
                Unless(_options.Force || _batch.MayReplace(other),
                    $"{_paths.Partial} holds the unfinished answers of another run ({Shown(other)}); choose another -o, or --force to drop them");
            }
        }

        PartialEnd = scan.BatchId is null && !_batch.KeepsReplaceable ? 0 : scan.GoodEnd;
    }

    private (SafeFileHandle Handle, OutputScan Scan)? ReadFinished(string path, OutputSource source, CancellationToken cancellationToken)
    {
        SafeFileHandle handle;
        try
        {
            handle = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        }
        catch (FileNotFoundException)
        {
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw OutputException.Unreadable(path, e);
        }

        try
        {
            OutputScan scan = Scan(path, handle, source, cancellationToken);
            if (scan.IsForeign)
                Unless(_options.Force, $"{path} exists and holds something else than the answers of a run; choose another -o, or --force to overwrite it");
            foreach (string other in scan.Others)
            {
                Unless(_options.Force || _batch.Owns(other) || _batch.MayReplace(other),
                    $"{path} holds the answers of another run ({Shown(other)}); choose another -o, or --force to overwrite them");
            }

            return (handle, scan);
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    private OutputScan Scan(string path, SafeFileHandle handle, OutputSource source, CancellationToken cancellationToken)
    {
        try
        {
            var scan = OutputScan.Read(
                handle, source, Index, IsMine, _options.RetryFailed ? _options.HoldsAnswer : null, _options.ReplaceSimulated,
                cancellationToken);
            Dropped += scan.Dropped;
            Unanswered += scan.Unanswered;
            Simulated += scan.Simulated;
            _hasRecord |= scan.BatchId is not null || scan.Others.Count > 0;
            return scan;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw OutputException.Unreadable(path, e);
        }
    }

    /// <summary>The files are read newest first, so the first batch of the family that turns up is the one that stands; a deliberate re-run takes only its own.</summary>
    private bool IsMine(string id)
    {
        if (BatchId.Length > 0)
            return id == BatchId;
        if (id != _batch.Id && (_options.Again || !_batch.Owns(id)))
            return false;
        BatchId = id;
        return true;
    }

    /// <summary>A table tells no batch: it may be replaced when the lines that it was rendered from are there and may be.</summary>
    private void CheckCsv()
    {
        if (_paths.Csv is null || _hasRecord || OutputIdentity.KindOf(_paths.Csv) == OutputKind.Nothing || new FileInfo(_paths.Csv).Length == 0)
            return;
        Unless(_options.Force, $"{_paths.Csv} exists and holds something else than the answers of a run; choose another -o, or --force to overwrite it");
    }

    private static void Unless(bool isAllowed, string refusal)
    {
        if (!isAllowed)
            throw OutputException.Refuse(refusal);
    }

    /// <summary>An id out of a file that may be anybody's: short, and nothing that moves a cursor.</summary>
    private static string Shown(string id) =>
        string.Concat((id.Length > 60 ? id[..60] + "…" : id).Select(c => char.IsControl(c) ? '?' : c));
}
