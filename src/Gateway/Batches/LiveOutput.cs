using System.Buffers;
using System.Collections;
using Microsoft.AspNetCore.Http;

namespace LlmPipeline;

/// <summary>The files of a batch that runs: what there is of them, in the order of completion.</summary>
internal sealed class LiveOutput(BatchRecords records, PromptQueue queue, ResultStore results, TimeProvider time)
{
    private const int RowsPerCall = 50, ManyBytes = 1024 * 1024;

    /// <summary>The file as it goes over the wire; null when no running batch of this owner will have it.</summary>
    public async Task<FileBody?> FindAsync(string owner, string id)
    {
        if (await records.FindByLiveFileAsync(owner, id) is not { IsOpen: true } batch)
            return null;
        return new FileBody
        {
            Id = id,
            Bytes = 0,
            CreatedAt = batch.Created.ToUnixTimeSeconds(),
            Filename = $"{batch.Id}_{(id == batch.OutputId ? "output" : "error")}.jsonl",
            Purpose = FileRecords.BatchOutput,
            Status = "uploaded",
        };
    }

    /// <summary>Answers what there is by now. False: no running batch of this owner will have the file.</summary>
    public async Task<bool> TryWriteAsync(HttpContext context, string owner, string id)
    {
        if (await records.FindByLiveFileAsync(owner, id) is not { IsOpen: true } batch)
            return false;
        context.Response.ContentType = "application/octet-stream";
        context.Response.Headers["X-Incomplete"] = "true";
        var reader = new BatchReader(queue, results, new BatchInfo { Id = batch.Id, Rows = batch.Total, Queues = batch.Models }, time);
        var written = new BitArray(batch.Total + 1);
        var line = new ArrayBufferWriter<byte>();
        while (await reader.EndedAsync(RowsPerCall, context.RequestAborted) is { Count: > 0 } ended)
        {
            // A row can come again.
            foreach (var chunk in ended.Where(row => row <= batch.Total && !written[row]).Chunk(RowsPerCall))
            {
                await foreach (var result in reader.ResultsAsync(chunk, context.RequestAborted))
                {
                    if (result is null || (result.Status == ResultStatus.Completed) != (id == batch.OutputId))
                        continue;
                    written[RowId.RowOf(batch.Id, result.JobId)] = true;
                    BatchLine.Of(result).WriteTo(line);
                    if (line.WrittenCount < ManyBytes)
                        continue;
                    await context.Response.Body.WriteAsync(line.WrittenMemory, context.RequestAborted);
                    line = new ArrayBufferWriter<byte>();
                }

                await context.Response.Body.WriteAsync(line.WrittenMemory, context.RequestAborted);
                line.ResetWrittenCount();
            }
        }

        return true;
    }
}
