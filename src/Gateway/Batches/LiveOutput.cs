using System.Buffers;
using System.Collections;
using Microsoft.AspNetCore.Http;

namespace LlmPipeline;

/// <summary>The files of a batch that runs: what there is of them, in the order of completion.</summary>
internal sealed class LiveOutput(BatchRecords records, PromptQueue queue, ResultStore results)
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
        var follower = await queue.Batches.FollowAsync(batch.Id, batch.Models);
        var told = new BitArray(batch.Total + 1);
        var line = new ArrayBufferWriter<byte>();
        while (await follower.ReadAsync(RowsPerCall) is { Count: > 0 } ended)
        {
            // An id can come again.
            var fresh = ended.Where(job => ResultLine.RowOf(batch.Id, job) is > 0 and var row && row <= batch.Total && !told[row]).ToList();
            foreach (var chunk in fresh.Distinct().Chunk(RowsPerCall))
            {
                await foreach (var result in results.ReadAsync(chunk, context.RequestAborted))
                {
                    if (result is null || (result.Status == ResultStatus.Completed) != (id == batch.OutputId))
                        continue;
                    told[ResultLine.RowOf(batch.Id, result.JobId)] = true;
                    ResultLine.Of(result).WriteTo(line);
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
