using System.Buffers;
using System.IO.Compression;
using System.IO.Pipelines;

namespace LlmPipeline;

/// <summary>
/// Reads the whole answer to an HTTP call, streamed or not, so that it is under the attempt's timeout and seen by the circuit breaker. No
/// answer, compressed or
/// not, takes more memory than <see cref="LlmOptions.MaxAnswerBytes"/> allows.
/// </summary>
internal static class AnswerReader
{
    /// <summary>What <c>llmpipe simulate</c> marks its answers with.</summary>
    private const string SimulatedHeader = "x-llmpipeline-simulated";

    // Of an error no more is worth keeping.
    private const int MostErrorBytes = 1024 * 1024;

    // White space that keeps a connection open until the answer comes (https://api-docs.deepseek.com/quick_start/rate_limit).
    private const int MostBlank = 64 * 1024;

    // The longest of what a stream of events begins with.
    private const int LongestStart = 6;

    /// <summary>Reads the body into the response; of a stream the body that a call without <c>stream</c> would have had.</summary>
    public static async Task LoadAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        var context = CallContext.Current;
        using var received = response.Content;
        await using var stream = await received.ReadAsStreamAsync(cancellationToken);
        if (!response.IsSuccessStatusCode)
        {
            var most = Math.Min(context.MaxAnswerBytes, MostErrorBytes);
            var (error, _) = await ReadAsync(stream, received.Headers.ContentLength, most, context, cancellationToken);
            response.Content = AnswerContent.Of(received.Headers, error, null);
            return;
        }

        var (body, fault) = await ReadAnswerAsync(stream, received.Headers, context, cancellationToken);
        response.Content = AnswerContent.Of(received.Headers, body, CompletionCheck.Of(context.Path, body, context.Inputs, fault));
    }

    /// <summary>The answer as the classification needs it.</summary>
    /// <param name="response">A loaded one.</param>
    /// <param name="provider">Whose answer it is.</param>
    /// <param name="number">The call's number.</param>
    /// <param name="started">When the call was sent.</param>
    /// <param name="now">The time.</param>
    public static HttpAnswer Capture(
        HttpResponseMessage response, Provider provider, long number, DateTimeOffset started, DateTimeOffset now)
    {
        var content = (AnswerContent)response.Content;
        return new HttpAnswer
        {
            Status = (int)response.StatusCode,
            Body = content.Received,
            Parsed = AnswerBody.Read(content.Received),
            Check = content.Check,
            RequestId = provider.RequestId(response),
            IsSimulated = response.Headers.Contains(SimulatedHeader),
            Location = response.Headers.Location is { } location && response.RequestMessage?.RequestUri is { } from
                ? new Uri(from, location)
                : null,
            Number = number,
            Limits = provider.Limits(response, now),
            Started = started,
        };
    }

    private static async Task<(byte[] Body, AnswerFault Fault)> ReadAnswerAsync(
        Stream stream, System.Net.Http.Headers.HttpContentHeaders headers, CallContext context, CancellationToken cancellationToken)
    {
        var pipe = PipeReader.Create(stream, new StreamPipeReaderOptions(leaveOpen: true));
        try
        {
            switch (await KindAsync(pipe, headers.ContentType?.MediaType == StreamedAnswer.MediaType, cancellationToken))
            {
                case BodyKind.Events:
                    return await StreamedAnswer.ReadAsync(
                        pipe.AsStream(leaveOpen: true), context.MaxAnswerBytes, context.Delta, cancellationToken);
                case BodyKind.Gzip:
                    await using (var unpacked = new GZipStream(pipe.AsStream(leaveOpen: true), CompressionMode.Decompress))
                        return Whole(await ReadAsync(unpacked, null, context.MaxAnswerBytes, context, cancellationToken));
                // Not read to its end, its connection is closed.
                case BodyKind.Whole when headers.ContentLength > context.MaxAnswerBytes:
                    return ([], AnswerFault.TooLarge);
                default:
                    return Whole(await ReadAsync(
                        pipe.AsStream(leaveOpen: true), headers.ContentLength, context.MaxAnswerBytes, context, cancellationToken));
            }
        }
        catch (AnswerTooLargeException)
        {
            return ([], AnswerFault.TooLarge);
        }
        finally
        {
            await pipe.CompleteAsync();
        }
    }

    private static (byte[] Body, AnswerFault Fault) Whole((byte[] Body, bool IsCut) read) =>
        read.IsCut ? ([], AnswerFault.TooLarge) : (read.Body, AnswerFault.None);

    /// <summary>
    /// Detects by its first bytes what a body is: there are servers that answer a call for a stream with JSON, one without with a stream,
    /// name the type of a stream
    /// <c>text/plain</c>, or that of neither.
    /// </summary>
    private static async Task<BodyKind> KindAsync(PipeReader pipe, bool isNamedStream, CancellationToken cancellationToken)
    {
        while (true)
        {
            var read = await pipe.ReadAsync(cancellationToken);
            var start = Start(read.Buffer, out var blank);
            var isEnough = start.Length >= LongestStart || read.IsCompleted || blank > MostBlank
                || (start.Length > 0 && start[0] is (byte)'{' or (byte)'[');
            pipe.AdvanceTo(read.Buffer.Start, isEnough ? read.Buffer.Start : read.Buffer.End);
            if (!isEnough)
                continue;
            // Compressed twice, or without saying so.
            return start is [0x1F, 0x8B, ..] ? BodyKind.Gzip
                : start is [(byte)'{' or (byte)'[', ..] ? BodyKind.Whole
                : isNamedStream || BeginsEvents(start) ? BodyKind.Events
                : BodyKind.Whole;
        }
    }

    private static byte[] Start(ReadOnlySequence<byte> buffer, out long blank)
    {
        var reader = new SequenceReader<byte>(buffer);
        reader.IsNext("\uFEFF"u8, advancePast: true);
        blank = reader.AdvancePastAny(" \t\r\n"u8);
        return reader.UnreadSequence.Slice(0, Math.Min(LongestStart, reader.Remaining)).ToArray();
    }

    // The fields of an event, a comment, and the error of llama.cpp (https://html.spec.whatwg.org/multipage/server-sent-events.html).
    private static bool BeginsEvents(ReadOnlySpan<byte> start) =>
        start.StartsWith(":"u8) || start.StartsWith("data:"u8) || start.StartsWith("event:"u8)
        || start.StartsWith("id:"u8) || start.StartsWith("retry:"u8) || start.StartsWith("error:"u8);

    private static async Task<(byte[] Body, bool IsCut)> ReadAsync(
        Stream stream, long? announced, int most, CallContext context, CancellationToken cancellationToken)
    {
        // What is announced need not come.
        using var body = new MemoryStream((int)Math.Min(announced ?? 0, MostBlank));
        var buffer = ArrayPool<byte>.Shared.Rent(81920);
        try
        {
            int read;
            while ((read = await ReadAsync(stream, buffer, context, cancellationToken)) > 0)
            {
                var room = most - (int)body.Length;
                var isLarge = body.Length > LargeAnswers.SmallBytes;
                body.Write(buffer, 0, Math.Min(read, room));
                if (read > room)
                    return (body.ToArray(), true);
                if (isLarge || body.Length <= LargeAnswers.SmallBytes)
                    continue;
                await WaitToReadOnAsync(context, cancellationToken);
                // It grows by doubling otherwise, and each time all is copied.
                if (announced <= most && announced >= body.Length)
                    body.Capacity = (int)announced;
            }

            return (body.Length == body.Capacity ? body.GetBuffer() : body.ToArray(), false);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static async ValueTask<int> ReadAsync(Stream stream, byte[] buffer, CallContext context, CancellationToken cancellationToken)
    {
        var reading = stream.ReadAsync(buffer, cancellationToken);
        return reading.IsCompleted || context is not { ReadingTurn: { } turn, LargeAnswers: { } large }
            ? await reading
            : await large.ReadOnAsync(turn, reading.AsTask());
    }

    private static async ValueTask WaitToReadOnAsync(CallContext context, CancellationToken cancellationToken)
    {
        if (context.LargeAnswers is not { } large)
            return;
        context.Timer?.Pause();
        context.Permit?.Dispose();
        context.LargeSince = large.Timestamp;
        try
        {
            context.ReadingTurn = await large.EnterAsync(context.Flow, cancellationToken);
        }
        finally
        {
            context.Timer?.Resume();
        }
    }

    private enum BodyKind
    {
        Whole,
        Events,
        Gzip,
    }
}
