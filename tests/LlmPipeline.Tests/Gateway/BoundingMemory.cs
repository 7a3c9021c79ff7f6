using System.Net;
using System.Text;

namespace LlmPipeline;

/// <summary>What a gateway holds of requests and answers at a time: <see cref="ByteBudget"/>.</summary>
[Trait("Category", "Slow")]
public sealed class BoundingMemory
{
    private const int Callers = 24, Bytes = 16_000_000;

    // The budget of 512 MiB, the program itself, and what the garbage collector has not given back yet. Without a budget the second took
    // 5.6 GiB.
    private const long MostMiB = 2000;

    [Theory]
    [InlineData("v1/jobs", """{"model":"M","prompt":"PAD"}""", "x")]
    [InlineData("v1/jobs", """[{"model":"M","request":{"url":"/v1/embeddings","body":{"model":"M","input":[PAD0]}}}]""", "1,")]
    [InlineData("v1/embeddings", """{"model":"M","input":"PAD"}""", "x")]
    public async Task Many_large_requests_at_once_take_a_bounded_memory_and_are_answered_when_they_come_again(
        string path, string shape, string pad)
    {
        await using var house = await GatewayHouse.OpenAsync();
        using var desk = new GatewayDesk(house.Gateway);
        await house.HoldAsync(desk.Model);
        var text = shape.Replace("M", desk.Model, StringComparison.Ordinal).Replace(
            "PAD", string.Concat(Enumerable.Repeat(pad, Bytes / pad.Length)), StringComparison.Ordinal);
        var body = Encoding.UTF8.GetBytes(text);
        using var gone = new CancellationTokenSource();
        using var http = new HttpClient { BaseAddress = desk.Address, Timeout = Timeout.InfiniteTimeSpan };
        http.DefaultRequestHeaders.Authorization = desk.Http.DefaultRequestHeaders.Authorization;

        var calls = Enumerable.Range(0, Callers).Select(_ => SendAsync(http, path, body, gone.Token)).ToList();
        await Eventually.HoldsAsync(async () => await WaitingAsync() == Callers, "all calls are on the queue", TimeSpan.FromMinutes(5));
        await gone.CancelAsync();
        await Task.WhenAll(calls);

        Assert.InRange(house.Gateway.Process.PeakResidentBytes / (1024 * 1024), 1, MostMiB);

        // Redis is busy with megabytes.
        async Task<long> WaitingAsync() =>
            (await RedisRetry.UntilAnsweredAsync(() => house.Fleet.Queue.StatsAsync(desk.Model), TimeProvider.System)).Waiting;
    }

    /// <summary>Sends a request until it is taken, as the official clients do: a refusal says when to come again.</summary>
    private static async Task SendAsync(HttpClient http, string path, byte[] body, CancellationToken gone)
    {
        try
        {
            while (true)
            {
                using var content = new ByteArrayContent(body) { Headers = { { "Content-Type", "application/json" } } };
                using var answer = await http.PostAsync(path, content, gone);
                if (answer.StatusCode is not (HttpStatusCode.TooManyRequests or HttpStatusCode.ServiceUnavailable))
                {
                    Assert.Equal(HttpStatusCode.Accepted, answer.StatusCode);
                    return;
                }

                Assert.NotNull(answer.Headers.RetryAfter?.Delta);
                await Task.Delay(answer.Headers.RetryAfter.Delta.Value, gone);
            }
        }
        catch (OperationCanceledException) when (gone.IsCancellationRequested)
        {
            // A synchronous call whose job is on the queue.
        }
    }
}
