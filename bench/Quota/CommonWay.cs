using System.Net;
using System.Net.Http.Headers;
using System.Threading.RateLimiting;

namespace LlmPipeline.Bench;

/// <summary>
/// What one commonly writes: an HttpClient, a bucket of requests where the limits are known (tokens being turned into requests by their mean), and on a 429 a
/// pause of everybody for as long as Retry-After says, then the same request again.
/// </summary>
internal static class CommonWay
{
    public static async Task RunAsync(QuotaScenario scenario, Uri endpoint, int concurrency, CancellationToken cancellationToken)
    {
        using var http = new HttpClient { BaseAddress = endpoint };
        var perMinute = scenario.TokensBind ? scenario.TokensPerMinute / Prompts.MeanTokens : scenario.RequestsPerMinute;
        using var bucket = scenario.IsKnown
            ? new TokenBucketRateLimiter(new()
            {
                TokenLimit = perMinute,
                TokensPerPeriod = Math.Max(1, perMinute / 60),
                ReplenishmentPeriod = TimeSpan.FromSeconds(Math.Max(1, perMinute / 60) * 60.0 / perMinute),
                QueueLimit = int.MaxValue,
            })
            : null;
        var (number, resume) = (0, 0L);
        await Task.WhenAll(Enumerable.Range(0, concurrency).Select(_ => CallAsync()));

        async Task CallAsync()
        {
            try
            {
                while (true)
                {
                    var body = Prompts.Body(Interlocked.Increment(ref number));
                    while (!await SendAsync(body))
                    {
                        // It asked to wait.
                    }
                }
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                // The measurement is over.
            }
        }

        async Task<bool> SendAsync(byte[] body)
        {
            while (Interlocked.Read(ref resume) - Environment.TickCount64 is > 0 and var left)
                await Task.Delay((int)left, cancellationToken);
            if (bucket is not null)
                await bucket.AcquireAsync(1, cancellationToken);
            using var content = new ByteArrayContent(body) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } };
            using var answer = await http.PostAsync("v1/chat/completions", content, cancellationToken);
            await answer.Content.ReadAsByteArrayAsync(cancellationToken);
            if (answer.StatusCode != HttpStatusCode.TooManyRequests)
                return true;
            Interlocked.Exchange(ref resume, Environment.TickCount64 + (long)(answer.Headers.RetryAfter?.Delta ?? TimeSpan.FromSeconds(1)).TotalMilliseconds);
            return false;
        }
    }
}
