using System.Diagnostics;

namespace LlmPipeline.Bench;

/// <summary>Works through rows of one size.</summary>
internal sealed class LargeRun(int bytes, int rows, int concurrency, int latency)
{
    public async Task<LargeFigures> MeasureAsync()
    {
        await using var redis = await BenchRedis.StartAsync("--slowlog-log-slower-than", "100", "--slowlog-max-len", "100000");
        await using var endpoint = await Endpoint.StartAsync(latency, null, "--estimate-tokens");
        var work = new RequestWork { Path = "/v1/chat/completions", Body = Body() };
        await using var batch = await OwnBatch.OpenAsync(redis.Address, "large", rows, _ => work);
        var (worker, _) = await ChildProcess.LlmpipeAsync(
            ["work", "--redis", redis.Address, "--concurrency", Words.Of(concurrency)],
            new Dictionary<string, string>
            {
                ["LLMPIPE__Deployments__0__Name"] = "sim",
                ["LLMPIPE__Deployments__0__Endpoint"] = new Uri(endpoint.Url, "/v1").ToString(),
                ["LLMPIPE__Deployments__0__Concurrency"] = Words.Of(concurrency),
            },
            "working on");
        await using (worker)
        {
            var watch = new MemoryWatch(endpoint, worker.Id);
            var clock = Stopwatch.GetTimestamp();
            var feeding = FeedAsync(batch);
            await watch.UntilAsync(feeding);
            var progress = await feeding;
            return progress.Failed == 0
                ? new LargeFigures(
                    Stopwatch.GetElapsedTime(clock), await redis.PeakMemoryAsync(), watch.PeakMebibytes, await redis.LongestScriptAsync())
                : throw new MeasurementException($"{progress.Failed} rows failed: {worker.Said}");
        }
    }

    private async Task<BatchProgress> FeedAsync(OwnBatch batch)
    {
        for (var fed = 0; fed < rows; fed++)
        {
            await batch.EnqueueAsync(fed, 1);
            if (fed >= 2 * concurrency)
                await batch.EndAsync(fed - (2 * concurrency));
        }

        return await batch.EndAsync(rows);
    }

    // A picture in base64, as it may as well be.
    private byte[] Body()
    {
        var head = "{\"model\":\"sim\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/jpeg;base64,"u8;
        var tail = "\"}}]}]}"u8;
        var body = new byte[bytes];
        body.AsSpan().Fill((byte)'A');
        head.CopyTo(body);
        tail.CopyTo(body.AsSpan(bytes - tail.Length));
        return body;
    }
}
