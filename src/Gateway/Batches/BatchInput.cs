using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>The input of batches: checked, and opened for reading.</summary>
internal sealed class BatchInput(FileFolder folder, GatewayOptions options, int maxJobBytes)
{
    /// <summary>Checks a batch's file as a whole, and opens it.</summary>
    /// <returns>The file when nothing is wrong with it; else what is.</returns>
    public async Task<(InputFile? File, InputSummary? Summary, IReadOnlyList<BatchFault> Faults)> OpenAsync(BatchRecord batch, CancellationToken cancellationToken)
    {
        try
        {
            var file = InputFile.Open(folder.PathOf(batch.Owner, batch.InputFileId), new InputOptions
            {
                // Batch lines name their models themselves.
                DefaultModel = "none",
                BatchEndpoint = batch.Endpoint,
                MaxRows = options.MaxBatchRows,
                MaxRowBytes = InputOptions.MaxRowBytesOf(maxJobBytes),
            });
            var summary = await file.CheckAsync(cancellationToken);
            return summary.ErrorCount == 0 ? (file, summary, []) : (null, summary, [.. summary.Errors.Select(Fault)]);
        }
        catch (InputException e) when (e.IsEmpty)
        {
            return (null, null, [new BatchFault("empty_file", "The file holds no requests.", null, null)]);
        }
        catch (InputException e) when (e.InnerException is null)
        {
            // The path is no matter of the caller.
            return (null, null, [new BatchFault("invalid_request", "The input file is no longer there, or has changed.", "input_file_id", null)]);
        }
    }

    private static BatchFault Fault(InputError error) =>
        new(error.Code, error.Field is null ? error.What : $"{error.Field}: {error.What}", error.Field, error.Line);
}
