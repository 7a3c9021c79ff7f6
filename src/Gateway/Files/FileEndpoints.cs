using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace LlmPipeline;

/// <summary><c>/files</c>: upload, list, look, read, delete.</summary>
internal sealed class FileEndpoints(FileUpload upload, FileRecords records, FileFolder folder, LiveOutput live)
{
    private const int MostInList = 10_000;

    public void Map(IEndpointRouteBuilder routes)
    {
        routes.MapPost("/files", UploadAsync);
        routes.MapGet("/files", ListAsync);
        routes.MapGet("/files/{id}", GetAsync);
        routes.MapDelete("/files/{id}", DeleteAsync);
        routes.MapGet("/files/{id}/content", ContentAsync);
    }

    private async Task UploadAsync(HttpContext context) =>
        await context.WriteJsonAsync(await upload.ReceiveAsync(context, context.Owner()), GatewayJson.Wire.FileBody);

    private async Task ListAsync(HttpContext context)
    {
        var query = ListQuery.Read(context.Request, MostInList, MostInList);
        var purpose = context.Request.Query["purpose"].ToString();
        // Of any other purpose there are no files.
        var page = purpose is "" or FileRecords.Batch or FileRecords.BatchOutput
            ? await records.ListAsync(context.Owner(), purpose.Length > 0 ? purpose : null, query)
            : new ListBody<FileBody>([], null, null, false);
        await context.WriteJsonAsync(page ?? throw ApiError.Invalid("after", "'after' names no file of this list.").Thrown(), GatewayJson.Wire.ListBodyFileBody);
    }

    private async Task GetAsync(HttpContext context) => await context.WriteJsonAsync(await FindAsync(context), GatewayJson.Wire.FileBody);

    private async Task DeleteAsync(HttpContext context)
    {
        var (owner, id) = (context.Owner(), Id(context));
        switch (await records.DeleteAsync(owner, id))
        {
            case FileDeletion.NotThere when await live.FindAsync(owner, id) is not null:
                throw ApiError.Conflict($"File '{id}' is written by a batch that has not ended.", "id").Thrown();
            case FileDeletion.NotThere:
                throw NoSuchFile(id).Thrown();
            case FileDeletion.InUse:
                throw ApiError.Conflict($"File '{id}' is read by a batch that has not ended.", "id").Thrown();
        }

        folder.Remove(owner, id);
        await records.GoneAsync(owner, id);
        await context.WriteJsonAsync(new DeletedBody(id, "file", true), GatewayJson.Wire.DeletedBody);
    }

    private async Task ContentAsync(HttpContext context)
    {
        if (await live.TryWriteAsync(context, context.Owner(), Id(context)))
            return;
        var file = await FindAsync(context);
        var path = folder.PathOf(context.Owner(), file.Id);
        if (!File.Exists(path))
            throw ApiError.NotFound($"The content of File '{file.Id}' is no longer there.", "id").Thrown();
        context.Response.ContentType = "application/octet-stream";
        context.Response.ContentLength = file.Bytes;
        await context.Response.SendFileAsync(path, context.RequestAborted);
    }

    private async Task<FileBody> FindAsync(HttpContext context) =>
        await records.FindAsync(context.Owner(), Id(context)) ?? await live.FindAsync(context.Owner(), Id(context)) ?? throw NoSuchFile(Id(context)).Thrown();

    private static ApiError NoSuchFile(string id) => ApiError.NotFound($"No such File object: {id}", "id");

    private static string Id(HttpContext context) => (string)context.Request.RouteValues["id"]!;
}
