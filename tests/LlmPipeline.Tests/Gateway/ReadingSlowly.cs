using System.Diagnostics;
using System.Net.Http.Headers;
using System.Text;
using LlmPipeline.Tests;

namespace LlmPipeline;

/// <summary>A client that reads a stream more slowly than the provider sends it, through a gateway and a worker.</summary>
[Trait("Category", "Slow")]
public sealed class ReadingSlowly
{
    // Less than MaxAnswerBytes in all, and more than buffers hold.
    private const int Chunks = 3000;

    [Fact]
    public async Task It_gets_the_whole_stream_and_the_provider_is_read_no_faster()
    {
        var text = new string('x', 10_000);
        var events = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Range(0, Chunks).Select(n =>
            $$$"""data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"{{{n}}} {{{text}}}"},"finish_reason":null}]}{{{"\n\n"}}}"""))
            + """data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}""" + "\n\ndata: [DONE]\n\n");
        await using var endpoint = new RawEndpoint((_, _) => new RawReply(200, "", "Content-Type: text/event-stream") { Bytes = events });
        await using var house = await GatewayHouse.OpenAsync();
        using var folder = new Llmpipe();
        folder.Environment["OPENAI_BASE_URL"] = endpoint.Url + "/v1";
        using var worker = new RunningProcess(folder, "work", "--redis", house.Fleet.Server.Address, "--concurrency", "2");
        using var desk = new GatewayDesk(house.Gateway);
        using var request = new HttpRequestMessage(HttpMethod.Post, "v1/chat/completions")
        {
            Content = new StringContent($$"""{"model":"{{desk.Model}}","stream":true,"messages":[{"role":"user","content":"hi"}]}""", new MediaTypeHeaderValue("application/json")),
        };
        using var answer = await desk.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        using var lines = new StreamReader(await answer.Content.ReadAsStreamAsync());
        var (seen, last) = (0, "");

        while (await lines.ReadLineAsync() is { } line)
        {
            if (line.Length == 0)
                continue;
            last = line;
            if (!line.Contains("\"content\"", StringComparison.Ordinal))
                continue;
            Assert.Contains($"\"content\":\"{seen++} ", line, StringComparison.Ordinal);
            // What sockets and buffers hold is sent at once; the rest waits with the provider while nothing is read.
            if (seen == 1)
                Assert.InRange(await SentAsync(endpoint), 1, events.Length - 1_000_000);
        }

        Assert.Equal(Chunks, seen);
        Assert.Equal("data: [DONE]", last);
    }

    /// <summary>What the endpoint has sent when it can send no more.</summary>
    private static async Task<long> SentAsync(RawEndpoint endpoint)
    {
        var (sent, unchanged) = (0L, Stopwatch.StartNew());
        await Eventually.HoldsAsync(
            () =>
            {
                if (endpoint.Sent != sent)
                    unchanged.Restart();
                sent = endpoint.Sent;
                return Task.FromResult(unchanged.Elapsed > TimeSpan.FromSeconds(1));
            },
            "the provider cannot send on",
            TimeSpan.FromSeconds(60));
        return sent;
    }
}
