using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace LlmPipeline;

/// <summary><c>/batches</c>: make, list, look, cancel, delete.</summary>
internal sealed class BatchEndpoints(BatchRecords records, BatchDrivers drivers, BatchDeleter deleter, GatewayParts parts)
{
    private const int MostInList = 100, InListOtherwise = 20;

    // Of a batch with more, as of those in a list, what its driver has noted is told: each model is a queue that would be asked.
    private const int MostModelsAsked = 16;
    private static readonly TimeSpan WhenFull = TimeSpan.FromSeconds(30);

    public void Map(IEndpointRouteBuilder routes)
    {
        routes.MapPost("/batches", CreateAsync);
        routes.MapGet("/batches", ListAsync);
        routes.MapGet("/batches/{id}", GetAsync);
        routes.MapDelete("/batches/{id}", DeleteAsync);
        routes.MapPost("/batches/{id}/cancel", CancelAsync);
    }

    private async Task CreateAsync(HttpContext context)
    {
        using var fields = await JsonFields.ReadAsync(context.Request, context.RequestAborted);
        var request = BatchRequest.Read(fields);
        var (owner, id) = (context.Owner(), BatchRecords.NewId());
        var made = FileId.Is(request.InputFileId) ? await records.CreateAsync(owner, id, request, parts.Options.MaxOpenBatches) : BatchCreation.NoSuchFile;
        if (made != BatchCreation.Made)
            throw Refusal(made, request).Thrown();
        drivers.Wake();
        await WriteAsync(context, id);
    }

    private async Task ListAsync(HttpContext context)
    {
        var (batches, hasMore) = await records.ListAsync(context.Owner(), ListQuery.Read(context.Request, MostInList, InListOtherwise) with { Ascending = false })
            ?? throw ApiError.Invalid("after", "'after' names no batch.").Thrown();
        var data = batches.Select(batch => batch.Body(batch.IsOpen ? batch.Noted : null)).ToArray();
        await context.WriteJsonAsync(
            new ListBody<BatchBody>(data, data.FirstOrDefault()?.Id, data.LastOrDefault()?.Id, hasMore), GatewayJson.Wire.ListBodyBatchBody);
    }

    private Task GetAsync(HttpContext context) => WriteAsync(context, Id(context));

    private async Task CancelAsync(HttpContext context)
    {
        var id = Id(context);
        var status = await records.CancelAsync(context.Owner(), id) ?? throw NoSuchBatch(id).Thrown();
        if (status is not (BatchState.Cancelling or BatchState.Cancelled))
            throw ApiError.Conflict($"Cannot cancel a batch with status '{status}'.").Thrown();
        await WriteAsync(context, id);
    }

    private async Task DeleteAsync(HttpContext context)
    {
        var id = Id(context);
        var batch = await records.FindAsync(context.Owner(), id) ?? throw NoSuchBatch(id).Thrown();
        if (!await deleter.DeleteAsync(batch, context.RequestAborted))
            throw ApiError.Conflict($"Batch '{id}' has not ended; cancel it first.", "batch_id").Thrown();
        await context.WriteJsonAsync(new DeletedBody(id, "batch", true), GatewayJson.Wire.DeletedBody);
    }

    private async Task WriteAsync(HttpContext context, string id)
    {
        var batch = await records.FindAsync(context.Owner(), id) ?? throw NoSuchBatch(id).Thrown();
        await context.WriteJsonAsync(await BodyAsync(batch), GatewayJson.Wire.BatchBody);
    }

    private async Task<BatchBody> BodyAsync(BatchRecord batch) =>
        batch.Body(!batch.IsOpen ? null : batch.Models.Count > MostModelsAsked ? batch.Noted : await parts.Queue.Batches.ProgressAsync(batch.Id));

    private ApiError Refusal(BatchCreation made, BatchRequest request) => made switch
    {
        BatchCreation.NoSuchFile => ApiError.NotFound($"No such File object: {request.InputFileId}", "input_file_id"),
        BatchCreation.WrongPurpose => ApiError.Invalid("input_file_id", $"File '{request.InputFileId}' has another purpose than '{FileRecords.Batch}'."),
        _ => ApiError.TooMany($"{parts.Options.MaxOpenBatches} batches of this key have not ended; try again when one has.", WhenFull),
    };

    private static ApiError NoSuchBatch(string id) => ApiError.NotFound($"No batch found with id '{id}'.", "batch_id");

    private static string Id(HttpContext context) => (string)context.Request.RouteValues["id"]!;
}
