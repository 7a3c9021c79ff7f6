using System.Globalization;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;

namespace LlmPipeline;

/// <summary>Tokens of a completion that is being sent; null in its place for any other answer.</summary>
internal sealed record SentUsage(int Input, int Output);

/// <summary>One call on the wire: its answer, whole or broken, and the counting of it.</summary>
internal sealed class CallExchange
{
    private const string EventStream = "text/event-stream; charset=utf-8";
    private const int Drips = 10;
    private static readonly TimeSpan BetweenDrips = TimeSpan.FromMilliseconds(100);

    private readonly HttpContext _context;
    private readonly CallCounters _counters;
    private readonly RateWindows _windows;
    private readonly JobCalls? _job;
    private Action<HttpResponse>? _dress;
    private bool _compressed;
    private bool _over;

    public CallExchange(HttpContext context, CallCounters counters, RateWindows windows, string? jobId, string requestId)
    {
        _context = context;
        _counters = counters;
        _windows = windows;
        _job = counters.Begin(jobId, HttpProtocol.IsHttp2(context.Request.Protocol));
        context.Response.Headers["x-request-id"] = requestId;
    }

    /// <summary>Sends an answer to its end.</summary>
    public async Task SendAsync(int status, string contentType, ReadOnlyMemory<byte> body, SentUsage? completion = null)
    {
        if (_compressed)
            body = DialectPlayer.Compressed([body]);
        Head(status, contentType, body.Length);
        // Counted before the client can see the answer and then look at the counts. In one step: what is written before its headers, Kestrel keeps and copies.
        CountAnswer(status, completion);
        var flushed = await _context.Response.BodyWriter.WriteAsync(body, _context.RequestAborted);
        if (flushed.IsCanceled || flushed.IsCompleted)
            TakeBack(status, completion);
    }

    /// <summary>Sends an answer bit by bit.</summary>
    public async Task DripAsync(int status, string contentType, ReadOnlyMemory<byte> body, SentUsage completion, TimeProvider time)
    {
        Head(status, contentType, body.Length);
        var size = (body.Length + Drips - 1) / Drips;
        while (body.Length > size)
        {
            Write(body[..size]);
            await _context.Response.BodyWriter.FlushAsync(_context.RequestAborted);
            await Task.Delay(BetweenDrips, time, _context.RequestAborted);
            body = body[size..];
        }
        Write(body);
        CountAnswer(status, completion);
        var flushed = await _context.Response.BodyWriter.FlushAsync(_context.RequestAborted);
        if (flushed.IsCanceled || flushed.IsCompleted)
            TakeBack(status, completion);
    }

    /// <summary>Sends the first half of an answer whose length says more; Kestrel then closes the connection, since its framing is lost.</summary>
    public async Task CutAsync(int status, string contentType, ReadOnlyMemory<byte> body)
    {
        Head(status, contentType, body.Length);
        Write(body[..(body.Length / 2)]);
        CountAnswer(status, null);
        await _context.Response.BodyWriter.FlushAsync(_context.RequestAborted);
    }

    /// <summary>Sends events one by one, a token's time between two; without <paramref name="completion"/> the connection breaks after them.</summary>
    public async Task StreamAsync(IReadOnlyList<ReadOnlyMemory<byte>> events, TimeSpan between, SentUsage? completion, TimeProvider time)
    {
        if (_compressed)
        {
            await SendAsync(200, EventStream, events.SelectMany(e => e.ToArray()).ToArray(), completion);
            return;
        }
        Head(200, EventStream, null);
        for (var n = 0; n < events.Count; n++)
        {
            if (n > 0 && between > TimeSpan.Zero)
                await Task.Delay(between, time, _context.RequestAborted);
            Write(events[n]);
            if (n == events.Count - 1)
                CountAnswer(200, completion);
            await _context.Response.BodyWriter.FlushAsync(_context.RequestAborted);
        }
        if (completion is null)
            _context.Abort();
    }

    /// <summary>
    /// Sends an answer of the dialect table, whose head is set: its parts one by one. Kestrel closes the connection when the head promises
    /// more.
    /// </summary>
    public async Task SendPlayedAsync(
        int status, IReadOnlyList<ReadOnlyMemory<byte>> parts, TimeSpan between, SentUsage? completion, TimeProvider time)
    {
        for (var n = 0; n < parts.Count; n++)
        {
            if (n > 0 && between > TimeSpan.Zero)
                await Task.Delay(between, time, _context.RequestAborted);
            if (n == parts.Count - 1)
                CountAnswer(status, completion);
            var flushed = await _context.Response.BodyWriter.WriteAsync(parts[n], _context.RequestAborted);
            if (n == parts.Count - 1 && (flushed.IsCanceled || flushed.IsCompleted))
                TakeBack(status, completion);
        }
    }

    /// <summary>Lets a later answer have other headers than its own, and be compressed.</summary>
    public void DressAs(Action<HttpResponse> dress, bool compressed)
    {
        _dress = dress;
        _compressed = compressed;
    }

    /// <summary>Resets the connection: a linger time of zero makes the closing a TCP RST.</summary>
    public void Reset()
    {
        End(abandoned: false);
        if (_context.Features.Get<IConnectionSocketFeature>() is { } connection)
            connection.Socket.LingerState = new LingerOption(true, 0);
        _context.Abort();
    }

    /// <summary>Says nothing until the client goes away or the simulator stops.</summary>
    public async Task HangAsync(CancellationToken stopping)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(_context.RequestAborted, stopping);
        await Task.Delay(Timeout.InfiniteTimeSpan, either.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        End(abandoned: false);
        _context.Abort();
    }

    /// <summary>The call is over, if it was not before.</summary>
    public void End(bool abandoned)
    {
        if (_over)
            return;
        _over = true;
        _counters.Ended(abandoned);
    }

    /// <summary>When to come again, in milliseconds as OpenAI's own SDKs read it, and in whole seconds for everybody else.</summary>
    public void RetryAfter(TimeSpan wait)
    {
        var headers = _context.Response.Headers;
        headers["retry-after-ms"] = Text((long)Math.Ceiling(wait.TotalMilliseconds));
        headers.RetryAfter = Text(Math.Max(1, (long)Math.Ceiling(wait.TotalSeconds)));
    }

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);

    private void Head(int status, string contentType, int? length)
    {
        _context.RequestAborted.ThrowIfCancellationRequested();
        var response = _context.Response;
        response.StatusCode = status;
        response.ContentType = contentType;
        response.ContentLength = length;
        var state = _windows.State();
        if (state.Requests is { } requests)
            Limit("requests", requests, state.RequestsLeft, state.UntilFull);
        if (state.Tokens is { } tokens)
            Limit("tokens", tokens, state.TokensLeft, state.UntilFull);
        if (_compressed)
            response.Headers.ContentEncoding = "gzip";
        _dress?.Invoke(response);
    }

    private void Limit(string what, long limit, long left, TimeSpan untilFull)
    {
        var headers = _context.Response.Headers;
        headers["x-ratelimit-limit-" + what] = Text(limit);
        headers["x-ratelimit-remaining-" + what] = Text(left);
        headers["x-ratelimit-reset-" + what] = GoDuration.Format(untilFull);
    }

    private void Write(ReadOnlyMemory<byte> bytes)
    {
        var response = _context.Response.BodyWriter;
        while (bytes.Length > 0)
        {
            // At least a byte: before its headers are out, Kestrel answers a wish for none with none.
            var room = response.GetSpan(1);
            var now = Math.Min(room.Length, bytes.Length);
            bytes.Span[..now].CopyTo(room);
            response.Advance(now);
            bytes = bytes[now..];
        }
    }

    private void CountAnswer(int status, SentUsage? completion)
    {
        _over = true;
        _counters.Answered(status);
        if (completion is not null)
            _counters.Completed(_job, completion.Input, completion.Output);
    }

    private void TakeBack(int status, SentUsage? completion)
    {
        _counters.NotSent(status);
        if (completion is not null)
            _counters.Completed(_job, completion.Input, completion.Output, -1);
    }
}
