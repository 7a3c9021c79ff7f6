using System.Buffers;
using System.IO.Compression;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;

namespace LlmPipeline;

/// <summary>Answers as the rows of the dialect table say.</summary>
internal sealed class DialectPlayer(TimeProvider time, CancellationToken stopping)
{
    // What a cut answer promises beyond what it sends.
    private const int Missing = 1000;
    private const string EventStream = "text/event-stream";

    private readonly PlayedText _texts = SimulatorDialects.Default.Texts;

    /// <summary>Answers a call. <paramref name="nth"/>: how many calls have met the row.</summary>
    public async Task PlayAsync(HttpContext context, CallExchange exchange, PlayedDialect row, int nth, string? model)
    {
        var answer = row.Answer;
        if (answer.Wait > 0)
            await Task.Delay(TimeSpan.FromMilliseconds(answer.Wait), time, context.RequestAborted);
        switch (answer.Connection)
        {
            case PlayedConnection.Hang:
                await exchange.HangAsync(stopping);
                return;
            case PlayedConnection.Reset:
                exchange.Reset();
                return;
        }
        var cut = answer.Connection == PlayedConnection.Cut;
        var status = answer.StatusOf(nth);
        var parts = Prepare(context, answer, status, model);
        if (cut)
            context.Response.ContentLength = parts.Sum(part => part.Length) + Missing;
        var usage = cut || row.Tokens is not { } tokens ? null : new SentUsage(tokens.Input, tokens.Output);
        await exchange.SendPlayedAsync(status, parts, TimeSpan.FromMilliseconds(answer.Pause), usage, time);
    }

    /// <summary>Lets the simulator's own answer go out as the row says.</summary>
    public void Dress(HttpContext context, CallExchange exchange, PlayedAnswer answer, string? model) =>
        exchange.DressAs(response => SetHeaders(response, answer, model), Compresses(context.Request, answer));

    /// <summary>Answers something that is no call.</summary>
    public async Task PlayAsync(HttpContext context, PlayedDialect row)
    {
        foreach (var part in Prepare(context, row.Answer, row.Answer.StatusOf(1), model: null))
            await context.Response.BodyWriter.WriteAsync(part, context.RequestAborted);
    }

    /// <summary>Sets the head of an answer and makes the parts of its body.</summary>
    private List<ReadOnlyMemory<byte>> Prepare(HttpContext context, PlayedAnswer answer, int status, string? model)
    {
        var response = context.Response;
        response.StatusCode = status;
        if (answer.Json is not null)
            response.ContentType = "application/json";
        SetHeaders(response, answer, model);
        var now = time.GetUtcNow();
        List<ReadOnlyMemory<byte>> parts = answer switch
        {
            { Json: { } json } => [Encoding.UTF8.GetBytes(_texts.Fill(Compact(json), model, now))],
            { Parts: { } several } => [.. several.Select(part => (ReadOnlyMemory<byte>)_texts.Bytes(part, model, now))],
            _ => [_texts.Bytes(answer.Text ?? "", model, now)],
        };
        if (Compresses(context.Request, answer))
        {
            if (answer.Encoding != PlayedEncoding.UnlabelledGzip)
                response.Headers.ContentEncoding = "gzip";
            parts = [Compressed(parts)];
        }
        // Nobody knows how long a stream is going to be.
        if (answer.Parts is null && response.ContentType != EventStream)
            response.ContentLength = parts[0].Length;
        return parts;
    }

    private void SetHeaders(HttpResponse response, PlayedAnswer answer, string? model)
    {
        foreach (var (name, value) in answer.Headers)
        {
            response.Headers[name] = value.ValueKind switch
            {
                JsonValueKind.Null => default,
                JsonValueKind.Array => value.EnumerateArray().Select(Text).ToArray(),
                _ => Text(value),
            };
        }

        string Text(JsonElement text) => _texts.Fill(text.GetString()!, model, time.GetUtcNow());
    }

    /// <summary>Several parts as one, by gzip.</summary>
    public static byte[] Compressed(IEnumerable<ReadOnlyMemory<byte>> parts)
    {
        using var whole = new MemoryStream();
        using (var gzip = new GZipStream(whole, CompressionLevel.Fastest, leaveOpen: true))
            foreach (var part in parts)
                gzip.Write(part.Span);
        return whole.ToArray();
    }

    private static bool Compresses(HttpRequest request, PlayedAnswer answer) => answer.Encoding switch
    {
        PlayedEncoding.Gzip or PlayedEncoding.UnlabelledGzip => true,
        PlayedEncoding.GzipIfAccepted => request.Headers.AcceptEncoding.ToString().Contains("gzip", StringComparison.OrdinalIgnoreCase),
        _ => false,
    };

    // Numbers stay as they are written in the file, 1.0 and 1e6 too.
    private static string Compact(JsonElement json)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer, PlayedJson.Compact))
            json.WriteTo(writer);
        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }
}
