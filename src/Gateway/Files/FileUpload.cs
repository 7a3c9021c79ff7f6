using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Net.Http.Headers;

namespace LlmPipeline;

/// <summary>Takes a file from a multipart body, as a stream: what it holds of it does not grow with the file. Parts may come in any order.</summary>
internal sealed class FileUpload(FileFolder folder, FileRecords records, GatewayOptions options, TimeProvider time)
{
    // What goes around the file in the body.
    private const int Around = 64 * 1024;
    private const int MaxParts = 20;
    private const int MaxNameLength = 255;

    /// <exception cref="ApiException">The body is not what it should be.</exception>
    public async Task<FileBody> ReceiveAsync(HttpContext context, string owner)
    {
        // The limits are kept here. Kestrel's own would cut the connection off, and a client that is still sending would not see the answer.
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit)
            limit.MaxRequestBodySize = null;
        if (context.Request.ContentLength > options.MaxFileBytes + Around)
            throw TooLarge().Thrown();
        using var patience = new CancellationTokenSource(options.UploadTimeout, time);
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, patience.Token);
        var id = FileId.New();
        await records.BeginAsync(owner, id);
        try
        {
            return await ReceiveAsync(Reader(context.Request), owner, id, ended.Token);
        }
        catch (OperationCanceledException e) when (patience.IsCancellationRequested && !context.RequestAborted.IsCancellationRequested)
        {
            throw new ApiError(408, $"The upload took longer than {options.UploadTimeout}.", "invalid_request_error").Thrown(e);
        }
    }

    private async Task<FileBody> ReceiveAsync(MultipartReader reader, string owner, string id, CancellationToken cancellationToken)
    {
        await using var part = folder.Begin(owner, id);
        try
        {
            var (form, name) = await ReadPartsAsync(reader, part, cancellationToken);
            await part.FinishAsync(cancellationToken);
            return await records.SaveAsync(owner, id, name, FileRecords.Batch, part.Bytes, form.Life);
        }
        catch (Exception e) when (e is ApiException or BadHttpRequestException)
        {
            // A refused upload leaves nothing behind, neither here nor there.
            await records.GoneAsync(owner, id);
            throw;
        }
    }

    private async Task<(FileForm Form, string Name)> ReadPartsAsync(MultipartReader reader, FilePart part, CancellationToken cancellationToken)
    {
        var form = new FileForm();
        string? name = null;
        var parts = 0;
        while (await Guarded(() => reader.ReadNextSectionAsync(cancellationToken)) is { } section)
        {
            if (++parts > MaxParts)
                throw Malformed($"it has more than {MaxParts} parts").Thrown();
            if (!ContentDispositionHeaderValue.TryParse(section.ContentDisposition, out var head) || !head.DispositionType.Equals("form-data", StringComparison.OrdinalIgnoreCase))
                throw Malformed("a part has no Content-Disposition of form-data").Thrown();
            var field = HeaderUtilities.RemoveQuotes(head.Name).ToString();
            if (field == "file")
            {
                if (name is not null)
                    throw ApiError.Invalid("file", "There is more than one 'file'.").Thrown();
                name = NameOf(head);
                await CopyAsync(section.Body, part, cancellationToken);
            }
            else
            {
                await Guarded(async () =>
                {
                    await form.ReadAsync(field, section.Body, cancellationToken);
                    return true;
                });
            }
        }

        if (name is null)
            throw ApiError.Invalid("file", "'file' is missing.").Thrown();
        form.Finish();
        return (form, name);
    }

    private async Task CopyAsync(Stream body, FilePart part, CancellationToken cancellationToken)
    {
        var buffer = new byte[1 << 16];
        int read;
        while ((read = await Guarded(() => body.ReadAsync(buffer, cancellationToken).AsTask())) > 0)
        {
            if (part.Bytes + read > options.MaxFileBytes)
                throw TooLarge().Thrown();
            await part.WriteAsync(buffer.AsMemory(0, read), cancellationToken);
        }
    }

    private static MultipartReader Reader(HttpRequest request)
    {
        if (!MediaTypeHeaderValue.TryParse(request.ContentType, out var type) || !type.MediaType.Equals("multipart/form-data", StringComparison.OrdinalIgnoreCase))
            throw ApiError.Invalid(null, "A file is uploaded as multipart/form-data.").Thrown();
        var boundary = HeaderUtilities.RemoveQuotes(type.Boundary).ToString();
        return boundary.Length is > 0 and <= 70 ? new MultipartReader(boundary, request.Body) : throw Malformed("its boundary is missing, or longer than 70 characters").Thrown();
    }

    // The name is data: it is shown again, and nothing else.
    private static string NameOf(ContentDispositionHeaderValue head)
    {
        var name = HeaderUtilities.RemoveQuotes(head.FileNameStar.HasValue ? head.FileNameStar : head.FileName).ToString();
        name = string.Concat(name.Where(c => !char.IsControl(c) && !char.IsSurrogate(c)).Take(MaxNameLength));
        return name.Length > 0 ? name : "file.jsonl";
    }

    // MultipartReader tells a broken body as an IOException or InvalidDataException; the disk's own are not read from here.
    private static async Task<T> Guarded<T>(Func<Task<T>> read)
    {
        try
        {
            return await read();
        }
        catch (Exception e) when (e is InvalidDataException or IOException and not BadHttpRequestException)
        {
            throw Malformed("it ends too early, or a part's head is broken").Thrown(e);
        }
    }

    private static ApiError Malformed(string what) => ApiError.Invalid(null, $"The multipart body is malformed: {what}.");

    private ApiError TooLarge() => ApiError.TooLarge($"The file is larger than {options.MaxFileBytes} bytes.");
}
