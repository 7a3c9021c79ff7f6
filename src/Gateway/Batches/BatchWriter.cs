using System.Buffers;

namespace LlmPipeline;

/// <summary>Writes the files of a batch whose rows have ended, in the order of its input: one line for each row, whatever became of it.</summary>
internal sealed class BatchWriter(ResultStore results, FileFolder folder)
{
    private const int RowsPerCall = 50, ManyBytes = 1024 * 1024;

    /// <summary>Writes both files; writing them again makes the same ones.</summary>
    /// <param name="batch">The batch; how it ends is told by <paramref name="to"/>.</param>
    /// <param name="input">Its checked file.</param>
    /// <param name="to">The status that it is to get.</param>
    /// <param name="cancellationToken">Ends it; nothing is left of the files then, or what stood there before.</param>
    public async Task<BatchFigures> WriteAsync(BatchRecord batch, InputFile input, string to, CancellationToken cancellationToken)
    {
        await using var output = folder.Begin(batch.Owner, batch.OutputId);
        await using var errors = folder.Begin(batch.Owner, batch.ErrorId);
        var figures = new BatchFigures();
        var line = new ArrayBufferWriter<byte>();
        await foreach (var rows in ChunksAsync(input, cancellationToken))
        {
            var n = 0;
            await foreach (var result in results.ReadAsync([.. rows.Select(row => RowId.Of(batch.Id, row.Number))], cancellationToken))
            {
                var row = rows[n++];
                var isCompleted = result?.Status == ResultStatus.Completed;
                (result is null ? Missing(batch, row, to) : BatchLine.Of(result)).WriteTo(line);
                await (isCompleted ? output : errors).WriteAsync(line.WrittenMemory, cancellationToken);
                if (line.Capacity > ManyBytes)
                    line = new ArrayBufferWriter<byte>();
                else
                    line.ResetWrittenCount();
                figures.Add(result, to);
            }
        }

        figures.OutputBytes = await FinishAsync(output, cancellationToken);
        figures.ErrorBytes = await FinishAsync(errors, cancellationToken);
        return figures;
    }

    private static async Task<long?> FinishAsync(FilePart file, CancellationToken cancellationToken)
    {
        if (file.Bytes == 0)
            return null;
        await file.FinishAsync(cancellationToken);
        return file.Bytes;
    }

    /// <summary>A row without a result: nobody took it in time, or the results' Redis lost it.</summary>
    private static OutputLine Missing(BatchRecord batch, InputRow row, string to)
    {
        var (code, message) = to switch
        {
            BatchState.Expired => ("batch_expired", "This request could not be executed before the completion window expired."),
            BatchState.Cancelled => ("batch_cancelled", "This request was not executed: the batch was cancelled."),
            _ => ("result_lost", "This request has ended, but its result is no longer there."),
        };
        return new OutputLine { JobId = RowId.Of(batch.Id, row.Number), CustomId = row.CustomId, ErrorCode = code, ErrorMessage = message };
    }

    private static async IAsyncEnumerable<List<InputRow>> ChunksAsync(InputFile input, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var rows = new List<InputRow>(RowsPerCall);
        await foreach (var row in input.ReadAsync(cancellationToken))
        {
            rows.Add(row with { Body = default });
            if (rows.Count < RowsPerCall)
                continue;
            yield return rows;
            rows.Clear();
        }

        if (rows.Count > 0)
            yield return rows;
    }
}
