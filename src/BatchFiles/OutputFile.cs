using System.Buffers;
using System.Globalization;
using Microsoft.Win32.SafeHandles;

namespace LlmPipeline;

/// <summary>
/// The output of one run: takes its lines in order of ending into the checkpoint <c>OUTPUT.partial</c>, knows which rows are done, also from a run before,
/// and at the end puts them into order. While it is open no other run can open the same output, and one that was killed leaves no lock behind.
/// Safe for use by many threads; flushing and finishing may go on beside <see cref="Append"/>, but nothing may be appended once finishing has begun.
/// </summary>
public sealed class OutputFile : IAsyncDisposable
{
    private readonly Lock _gate = new();
    private readonly OutputDisk _disk;
    private readonly PartialFile _partial;
    private readonly OutputCheckpoint _found;
    private readonly bool _retryFailed;
    private readonly string _jobPrefix;
    private bool _isFinished;
    private bool _isDisposed;

    private OutputFile(OutputPaths paths, OutputDisk disk, PartialFile partial, OutputCheckpoint found, bool retryFailed)
    {
        (Paths, _disk, _partial, _found, _retryFailed) = (paths, disk, partial, found, retryFailed);
        _jobPrefix = found.BatchId + ".";
    }

    /// <summary>The files.</summary>
    public OutputPaths Paths { get; }

    /// <summary>The batch whose answers stand here: an earlier run's of the same family where one is continued, else the batch it was opened for. The run must use it.</summary>
    public string BatchId => _found.BatchId;

    /// <summary>Lines of an earlier run that were damaged and left out; their rows count as missing. A last line that was cut off is not among them.</summary>
    public int Dropped => _found.Dropped;

    /// <summary>Rows of an earlier run whose completion holds no answer (<see cref="OutputOptions.HoldsAnswer"/>): they count as missing.</summary>
    public int Unanswered => _found.Unanswered;

    /// <summary>Lines of an earlier run that are a simulator's; with <see cref="OutputOptions.ReplaceSimulated"/> they do not count.</summary>
    public int Simulated => _found.Simulated;

    /// <summary>Rows with a completion, those beyond the rows of this run included.</summary>
    public int Completed
    {
        get
        {
            lock (_gate)
                return _found.Index.Completed;
        }
    }

    /// <summary>Rows with an error; without those of an earlier run when failed rows are to be run again.</summary>
    public int Failed
    {
        get
        {
            lock (_gate)
                return _found.Index.Failed - (_retryFailed ? _found.Index.FailedEarlier : 0);
        }
    }

    /// <summary>
    /// Takes an output for a run. Locks it, reads what an earlier run left and refuses whatever isn't this batch's; nothing is created or changed then.
    /// </summary>
    /// <param name="paths">The files.</param>
    /// <param name="batch">The batch.</param>
    /// <param name="options">How existing files are treated.</param>
    /// <param name="cancellationToken">Ends the reading of what is there.</param>
    /// <exception cref="OutputException">The output cannot be used: <see cref="OutputException.Refused"/> tells whose fault it is.</exception>
    public static Task<OutputFile> OpenAsync(OutputPaths paths, OutputBatch batch, OutputOptions options, CancellationToken cancellationToken) =>
        OpenAsync(paths, batch, options, new OutputDisk(), cancellationToken);

    internal static Task<OutputFile> OpenAsync(OutputPaths paths, OutputBatch batch, OutputOptions options, OutputDisk disk, CancellationToken cancellationToken) =>
        Task.Run(() => Open(paths, batch, options, disk, cancellationToken), cancellationToken);

    /// <summary>Above this number of appended bytes a flush at once costs no more than later.</summary>
    public const long ManyBytes = 8 * 1024 * 1024;

    /// <summary>False once the checkpoint or its folder was removed or renamed: what is appended then would be lost.</summary>
    public bool IsInPlace => _partial.IsInPlace;

    /// <inheritdoc cref="PartialFile.RestoreAsync"/>
    public ValueTask RestoreAsync() => _partial.RestoreAsync(CancellationToken.None);

    /// <summary>The bytes that are appended and not yet flushed.</summary>
    public long Unflushed => _partial.Pending;

    /// <summary>Has the row an answer that stands?</summary>
    public bool IsDone(int row) => StateOf(row) != RowState.Missing;

    /// <summary>What there is of the row, from 1. Lines that are appended but not yet flushed count.</summary>
    public RowState StateOf(int row)
    {
        lock (_gate)
        {
            OutputEntry entry = _found.Index[row];
            return entry.Source == OutputSource.None || (_retryFailed && entry is { IsCompletion: false, IsEarlier: true }) ? RowState.Missing
                : entry.IsCompletion ? RowState.Completed
                : RowState.Failed;
        }
    }

    /// <summary>
    /// Takes a row's line into the buffer; it is safe only after the next <see cref="FlushAsync"/>. The newest line of a row stands, but an error never replaces a completion.
    /// </summary>
    /// <exception cref="ArgumentException">The line isn't of <see cref="BatchId"/>.</exception>
    public void Append(OutputLine line)
    {
        int row = RowOf(line.JobId);
        lock (_gate)
        {
            ThrowIfFinished();
            (long offset, int length) = _partial.Append(line);
            _found.Index.PutNewer(row, new OutputEntry(offset, length, OutputSource.Partial, line.IsCompletion, IsEarlier: false));
        }
    }

    /// <summary>Takes for a row the line of another one, under its own names. The other's line must have been flushed.</summary>
    /// <param name="from">The other row; its answer may be an error, or an earlier run's.</param>
    /// <param name="jobId">The job of the row, <c>&lt;batch&gt;.&lt;row&gt;</c>.</param>
    /// <param name="customId">Its submitter's name for it.</param>
    /// <exception cref="InvalidOperationException">The other row has no line.</exception>
    /// <exception cref="OutputException">A file cannot be read, or was changed meanwhile.</exception>
    public void Copy(int from, string jobId, string customId)
    {
        OutputEntry entry;
        lock (_gate)
            entry = _found.Index[from];
        if (entry.Source == OutputSource.None)
            throw new InvalidOperationException($"Row {from} has no line to copy.");
        Copy(entry, jobId, customId);
    }

    /// <summary>Takes for a row a line of another batch, under the row's own names.</summary>
    /// <param name="from">Where the line stands in these files.</param>
    /// <param name="jobId">The job of the row.</param>
    /// <param name="customId">Its submitter's name for it.</param>
    /// <exception cref="OutputException">A file cannot be read, or was changed meanwhile.</exception>
    internal void Copy(OutputEntry from, string jobId, string customId)
    {
        (string path, SafeFileHandle handle) = FileOf(from.Source);
        var line = new ArrayBufferWriter<byte>();
        if (!OutputLine.TryRename(OutputEntryReader.Read(path, handle, from), jobId, customId, line))
            throw OutputException.Changed(path);
        lock (_gate)
        {
            ThrowIfFinished();
            (long offset, int length) = _partial.Append(writer => writer.Write(line.WrittenSpan));
            _found.Index.PutNewer(RowOf(jobId), new OutputEntry(offset, length, OutputSource.Partial, from.IsCompletion, IsEarlier: false));
        }
    }

    /// <summary>Returns when every line appended before is on the disk. When it throws no line is forgotten: a later call writes them all the same.</summary>
    /// <exception cref="OutputException">The disk is full or broken.</exception>
    public ValueTask FlushAsync(CancellationToken cancellationToken) => _partial.FlushAsync(cancellationToken);

    /// <summary>
    /// Puts the rows into order, completions into the results file and the rest into the errors file; a file that would be empty doesn't exist.
    /// Rows beyond <paramref name="rows"/> that an earlier, longer run has paid for stay. The lock is kept until this is disposed, which also deletes the emptied checkpoint.
    /// When it throws, or the process is killed in the middle, opening and finishing again repairs everything.
    /// </summary>
    /// <param name="rows">How many rows the run has; each must have a line.</param>
    /// <param name="cancellationToken">Ends the sorting; the files stay as they were.</param>
    /// <exception cref="OutputException">The disk is full or broken, or somebody changed a file meanwhile.</exception>
    /// <exception cref="InvalidOperationException">A row has no line, or the files have been replaced already.</exception>
    public async Task FinishAsync(int rows, CancellationToken cancellationToken)
    {
        ThrowIfFinished();
        for (int row = 1; row <= rows; row++)
        {
            if (_found.Index[row].Source == OutputSource.None)
                throw new InvalidOperationException($"Row {row} of {rows} has no line.");
        }

        await FlushAsync(cancellationToken);
        await Task.Run(() => Finish(cancellationToken), cancellationToken);
    }

    /// <summary>Flushes what is appended, gives the output free and removes a checkpoint that holds nothing.</summary>
    /// <exception cref="OutputException">The disk is full or broken.</exception>
    public async ValueTask DisposeAsync()
    {
        if (_isDisposed)
            return;
        _isDisposed = true;
        try
        {
            await FlushAsync(CancellationToken.None);
            Change(Paths.SortingResults, _disk.Delete);
            Change(Paths.SortingErrors, _disk.Delete);
            Change(Paths.Partial, _ => _partial.DeleteIfEmpty());
        }
        finally
        {
            _found.Dispose();
            _partial.Dispose();
        }
    }

    private static OutputFile Open(OutputPaths paths, OutputBatch batch, OutputOptions options, OutputDisk disk, CancellationToken cancellationToken)
    {
        OutputPlace.Check(paths);
        PartialFile partial = PartialFile.Lock(paths.Partial, disk);
        OutputCheckpoint? found = null;
        try
        {
            found = OutputCheckpoint.Read(paths, partial.Handle, batch, options, cancellationToken);
            OutputPlace.Try(paths, disk);
            if (found.PartialEnd != partial.Length)
                partial.Truncate(found.PartialEnd);
            return new OutputFile(paths, disk, partial, found, options.RetryFailed);
        }
        catch
        {
            found?.Dispose();
            partial.DeleteIfEmpty();
            partial.Dispose();
            throw;
        }
    }

    private void Finish(CancellationToken cancellationToken)
    {
        OutputIndex index = _found.Index;
        bool keepResults = Stands(_found.Results?.Scan, index.Completed, index.Count(OutputSource.Results, isCompletion: true));
        bool keepErrors = Stands(_found.Errors?.Scan, index.Failed, index.Count(OutputSource.Errors, isCompletion: false));

        // Everything is written before the first file is replaced: the old files are what the new ones are made of.
        var sorter = new OutputSorter(_disk, FileOf);
        if (!keepResults && index.Completed > 0)
            sorter.Write(Paths.SortingResults, index.Rows().Where(row => row.Entry.IsCompletion), cancellationToken);
        if (!keepErrors && index.Failed > 0)
            sorter.Write(Paths.SortingErrors, index.Rows().Where(row => !row.Entry.IsCompletion), cancellationToken);

        lock (_gate)
            _isFinished = true;
        _found.Dispose();
        if (!keepResults)
            Put(Paths.SortingResults, Paths.Results, index.Completed);
        if (!keepErrors)
            Put(Paths.SortingErrors, Paths.Errors, index.Failed);
        Change(Paths.Results, _disk.SyncFolder);
        if (Path.GetDirectoryName(Paths.Errors) != Path.GetDirectoryName(Paths.Results))
            Change(Paths.Errors, _disk.SyncFolder);
        if (_partial.Length > 0)
            _partial.Truncate(0);
    }

    /// <summary>Is a finished file as found just what would be written again?</summary>
    private static bool Stands(OutputScan? scan, int rows, int held) =>
        scan is null ? rows == 0 : scan.IsSorted && rows > 0 && scan.Lines == rows && held == rows;

    private void Put(string sorted, string path, int rows) => Change(path, rows > 0 ? to => _disk.Replace(sorted, to) : _disk.Delete);

    private void ThrowIfFinished()
    {
        if (_isFinished)
            throw new InvalidOperationException("The output is finished.");
    }

    private static void Change(string path, Action<string> change)
    {
        try
        {
            change(path);
        }
        catch (Exception e) when (e is not OutputException and (IOException or UnauthorizedAccessException))
        {
            throw OutputException.Broke(path, e);
        }
    }

    private (string Path, SafeFileHandle Handle) FileOf(OutputSource source) => source switch
    {
        OutputSource.Results => (Paths.Results, _found.Results!.Value.Handle),
        OutputSource.Errors => (Paths.Errors, _found.Errors!.Value.Handle),
        _ => (Paths.Partial, _partial.Handle),
    };

    private int RowOf(string jobId) =>
        jobId.StartsWith(_jobPrefix, StringComparison.Ordinal)
        && int.TryParse(jobId.AsSpan(_jobPrefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out int row)
        && row >= 1
        && jobId[_jobPrefix.Length] != '0'
            ? row
            : throw new ArgumentException($"The job {jobId} is not of the batch {BatchId}.", nameof(jobId));
}
