using System.Buffers;

namespace LlmPipeline;

/// <summary>Writes results to a stream in the order of the rows, holding few of them at a time.</summary>
internal sealed class ResultsStream(Stream stream) : IAsyncDisposable
{
    private const int ManyBytes = 1024 * 1024;
    private ArrayBufferWriter<byte> _buffer = new();
    private int _completed;
    private int _failed;
    private int _expired;

    /// <summary>Writes what there is; with <paramref name="wait"/> waits at each row that is open.</summary>
    public async Task<ResultsReport> WriteAsync(BatchReader reader, bool wait, CancellationToken cancellationToken)
    {
        var rows = reader.Batch.Rows;
        var open = 0;
        for (var next = 1; next <= rows;)
        {
            var last = Math.Min(next + BatchReader.RowsPerCall - 1, rows);
            await foreach (var row in reader.ReadAsync(next, last - next + 1, cancellationToken).ConfigureAwait(false))
            {
                if (row.IsOpen && wait)
                    break;
                if (row.IsOpen)
                    open++;
                else
                    Add(row);
                next = row.Id.Row + 1;
                if (_buffer.WrittenCount > ManyBytes)
                    await FlushAsync(cancellationToken).ConfigureAwait(false);
            }

            await FlushAsync(cancellationToken).ConfigureAwait(false);
            // Only this row is waited for: the page is not read again each time that another one ends.
            while (wait && next <= last && !await reader.HasEndedAsync(next, cancellationToken).ConfigureAwait(false))
            {
                wait = await reader.NextAsync(cancellationToken).ConfigureAwait(false) is not null;
            }
        }

        return new ResultsReport(reader.Batch.Id, rows, _completed, _failed, _expired, open);
    }

    public ValueTask DisposeAsync() => stream.DisposeAsync();

    private void Add(BatchRow row)
    {
        row.Line().WriteTo(_buffer);
        if (row.IsGone)
            _expired++;
        else if (row.IsCompleted)
            _completed++;
        else
            _failed++;
    }

    private async Task FlushAsync(CancellationToken cancellationToken)
    {
        try
        {
            await stream.WriteAsync(_buffer.WrittenMemory, cancellationToken).ConfigureAwait(false);
            await stream.FlushAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (IOException e)
        {
            throw CliException.Broke($"standard output cannot be written: {e.Message}");
        }

        // What a large row has made of it is not kept.
        if (_buffer.Capacity > 8 * ManyBytes)
            _buffer = new ArrayBufferWriter<byte>();
        else
            _buffer.ResetWrittenCount();
    }
}
