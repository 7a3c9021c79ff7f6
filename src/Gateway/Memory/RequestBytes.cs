using System.Buffers;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace LlmPipeline;

/// <summary>Receives JSON bodies as a whole, counted before they come.</summary>
internal static class RequestBytes
{
    /// <summary>How deep a body may be nested.</summary>
    public const int MaxDepth = 512;

    private const int BlockBytes = 64 * 1024;

    // Smaller ones are parsed without being looked through for their tokens first.
    private const int FewBytes = 64 * 1024;

    // What a JsonDocument has of each token, and its copy while that grows.
    private const int BytesPerToken = 2 * 12;

    /// <summary>What a job may have in its body: the rest of <paramref name="maxJobBytes"/> is left for what goes around it.</summary>
    public static int MostOfJob(int maxJobBytes) => maxJobBytes - Math.Min(4096, maxJobBytes / 4);

    /// <summary>Receives a body.</summary>
    /// <param name="request">The call.</param>
    /// <param name="most">The largest body that is taken, in bytes.</param>
    /// <param name="copies">How often it will be held beside itself.</param>
    /// <param name="bytes">What the call holds.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="ApiException">It is no JSON by its type, too large, or there is no room for it now.</exception>
    public static async Task<ReadOnlyMemory<byte>> ReceiveAsync(
        HttpRequest request, int most, int copies, CountedBytes bytes, CancellationToken cancellationToken)
    {
        // Kestrel's own refusal cuts the connection off, and a client that is still sending would not see the answer: see
        // JsonFields.CheckType.
        if (request.HttpContext.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit)
            limit.MaxRequestBodySize = most;
        JsonFields.CheckType(request);
        // One that does not say its length is counted as the largest: to take more while it comes could leave several half received, each
        // waiting for the others.
        await bytes.TakeRequestAsync((1 + copies) * (request.ContentLength ?? most), cancellationToken);
        if (request.ContentLength is not { } length)
            return await ReceiveBlocksAsync(request.Body, cancellationToken);
        var body = GC.AllocateUninitializedArray<byte>((int)length);
        await request.Body.ReadExactlyAsync(body, cancellationToken);
        return body;
    }

    /// <summary>Has a body parsed and read. One of many small tokens takes more than its bytes, which is counted before.</summary>
    /// <param name="body">The body.</param>
    /// <param name="read">Parses it and reads what is wanted, so that nothing of the parsed form is needed any more.</param>
    /// <param name="bytes">What the call holds.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="ApiException">There is no room for it now; or what <paramref name="read"/> throws.</exception>
    public static async Task<T> ReadAsync<T>(
        ReadOnlyMemory<byte> body, Func<ReadOnlyMemory<byte>, T> read, CountedBytes bytes, CancellationToken cancellationToken)
    {
        if (body.Length <= FewBytes)
            return read(body);
        if ((BytesPerToken * TokensOf(body.Span)) - body.Length is > 0 and var more)
            await bytes.TakeMoreAsync(more, cancellationToken);
        // JsonDocument rents its memory, and the pool keeps an array of each size for each thread that has had one: here that goes with the
        // thread.
        return await Task.Factory.StartNew(
            () => read(body), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    // A body that is not JSON is reported by its parser.
    private static long TokensOf(ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = MaxDepth });
        var tokens = 0L;
        try
        {
            while (reader.Read())
                tokens++;
        }
        catch (JsonException)
        {
            // So far it would be parsed.
        }

        return tokens;
    }

    private static async Task<ReadOnlyMemory<byte>> ReceiveBlocksAsync(Stream body, CancellationToken cancellationToken)
    {
        var blocks = new List<byte[]>();
        var length = 0;
        try
        {
            for (var filled = 0; ;)
            {
                if (blocks.Count == 0 || filled == BlockBytes)
                {
                    blocks.Add(ArrayPool<byte>.Shared.Rent(BlockBytes));
                    filled = 0;
                }

                var read = await body.ReadAsync(blocks[^1].AsMemory(filled, BlockBytes - filled), cancellationToken);
                if (read == 0)
                    break;
                filled += read;
                length += read;
            }

            var whole = GC.AllocateUninitializedArray<byte>(length);
            for (var n = 0; n < blocks.Count; n++)
                blocks[n].AsSpan(0, Math.Min(BlockBytes, length - (n * BlockBytes))).CopyTo(whole.AsSpan(n * BlockBytes));
            return whole;
        }
        finally
        {
            blocks.ForEach(block => ArrayPool<byte>.Shared.Return(block));
        }
    }
}
