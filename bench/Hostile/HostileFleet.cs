using System.Globalization;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;

namespace LlmPipeline.Bench;

/// <summary>A gateway and a worker as processes on a Redis of their own, with two callers before them.</summary>
internal sealed class HostileFleet : IAsyncDisposable
{
    private const string HonestKey = "key-of-the-honest-caller";
    private const string HostileKey = "key-of-the-hostile-caller";
    private readonly string _folder = Directory.CreateTempSubdirectory("llmpipe-bench-").FullName;
    private readonly BenchRedis _redis;
    private readonly List<ChildProcess> _processes = [];
    private HttpClient _honest = null!;
    private HttpClient _hostile = null!;

    private HostileFleet(BenchRedis redis) => _redis = redis;

    /// <param name="endpoint">The endpoint.</param>
    /// <param name="slots">Calls of the worker at once.</param>
    /// <param name="timeout">Of a call, s.</param>
    public static async Task<HostileFleet> StartAsync(Uri endpoint, int slots, int timeout)
    {
        var fleet = new HostileFleet(await BenchRedis.StartAsync("--slowlog-log-slower-than", "10000", "--slowlog-max-len", "1000"));
        var settings = new Dictionary<string, string>
        {
            ["OPENAI_BASE_URL"] = new Uri(endpoint, "/v1").ToString(),
            ["OPENAI_API_KEY"] = "sk-of-the-bench-0123456789",
            ["LLMPIPE__AttemptTimeout"] = Words.Of(timeout),
            ["LLMPIPE__Gateway__ApiKeys__0"] = HonestKey,
            ["LLMPIPE__Gateway__ApiKeys__1"] = HostileKey,
        };
        var (worker, _) = await ChildProcess.LlmpipeAsync(["work", "--redis", fleet._redis.Address, "--concurrency", Words.Of(slots)], settings, "working on");
        fleet._processes.Add(worker);
        var (gateway, line) = await ChildProcess.LlmpipeAsync(
            ["serve", "--redis", fleet._redis.Address, "--urls", "http://127.0.0.1:0", "--files", fleet._folder], settings, "serving on");
        fleet._processes.Add(gateway);
        var address = new Uri(line[line.IndexOf("http://", StringComparison.Ordinal)..].Split(',', ' ')[0]);
        fleet._honest = Client(address, HonestKey);
        fleet._hostile = Client(address, HostileKey);
        return fleet;
    }

    /// <summary>Makes synchronous calls; the answer is how long each took, ms.</summary>
    /// <exception cref="MeasurementException">One failed.</exception>
    public async Task<double[]> CallAsync(int calls, int atOnce)
    {
        var times = new double[calls];
        var next = -1;
        await Task.WhenAll(Enumerable.Range(0, atOnce).Select(async _ =>
        {
            while (Interlocked.Increment(ref next) is var n && n < calls)
            {
                var clock = System.Diagnostics.Stopwatch.GetTimestamp();
                using var body = Json($"honest {n}");
                using var response = await _honest.PostAsync(new Uri("v1/chat/completions", UriKind.Relative), body);
                var text = await response.Content.ReadAsStringAsync();
                if (!response.IsSuccessStatusCode || !text.Contains("four", StringComparison.Ordinal))
                    throw new MeasurementException($"an honest call got HTTP {(int)response.StatusCode}: {text}");
                times[n] = System.Diagnostics.Stopwatch.GetElapsedTime(clock).TotalMilliseconds;
            }
        }));
        return times;
    }

    /// <summary>Sends batch after batch until it is stopped; the answer is the number of rows.</summary>
    public async Task<int> HarassAsync(HostileKind kind, int rows, CancellationToken stop)
    {
        var sent = 0;
        while (!stop.IsCancellationRequested)
        {
            var lines = string.Concat(Enumerable.Range(0, rows).Select(n => $"{{\"custom_id\":\"{n}\",\"method\":\"POST\",\"url\":\"/v1/chat/completions\",\"body\":{Body($"{KindOf(kind, n)} {sent + n}")}}}\n"));
            using var form = new MultipartFormDataContent { { new StringContent("batch"), "purpose" }, { new ByteArrayContent(Encoding.UTF8.GetBytes(lines)), "file", "in.jsonl" } };
            var file = await IdAsync(await _hostile.PostAsync(new Uri("v1/files", UriKind.Relative), form, CancellationToken.None));
            var batch = await IdAsync(await _hostile.PostAsJsonAsync(
                new Uri("v1/batches", UriKind.Relative), new { input_file_id = file, endpoint = "/v1/chat/completions", completion_window = "24h" }, CancellationToken.None));
            sent += rows;
            while (!stop.IsCancellationRequested && !await HasEndedAsync(batch))
                await Task.Delay(100, CancellationToken.None);
            if (stop.IsCancellationRequested)
                (await _hostile.PostAsync(new Uri($"v1/batches/{batch}/cancel", UriKind.Relative), null, CancellationToken.None)).Dispose();
        }

        return sent;
    }

    /// <summary>The longest script and the peak of Redis' memory.</summary>
    public async Task<string> RedisAsync()
    {
        var (longest, peak) = (await _redis.LongestScriptAsync(), await _redis.PeakMemoryAsync());
        return string.Create(CultureInfo.InvariantCulture, $"{longest}, {peak / 1048576} MiB");
    }

    public async ValueTask DisposeAsync()
    {
        _honest?.Dispose();
        _hostile?.Dispose();
        foreach (var process in _processes)
            await process.DisposeAsync();
        await _redis.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    private static HostileKind KindOf(HostileKind kind, int row) => kind == HostileKind.Mixed ? (HostileKind)(row % (int)HostileKind.Mixed) : kind;

    private static string Body(string prompt) => $"{{\"model\":\"m\",\"messages\":[{{\"role\":\"user\",\"content\":\"{prompt}\"}}]}}";

    private static StringContent Json(string prompt) => new(Body(prompt), Encoding.UTF8, "application/json");

    private static HttpClient Client(Uri address, string key)
    {
        var http = new HttpClient { BaseAddress = address, Timeout = TimeSpan.FromMinutes(5) };
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
        return http;
    }

    private static async Task<string> IdAsync(HttpResponseMessage response)
    {
        using (response)
        {
            var text = await response.Content.ReadAsStringAsync();
            return response.IsSuccessStatusCode
                ? JsonDocument.Parse(text).RootElement.GetProperty("id").GetString()!
                : throw new MeasurementException($"the hostile caller got HTTP {(int)response.StatusCode}: {text}");
        }
    }

    private async Task<bool> HasEndedAsync(string batch)
    {
        var state = await _hostile.GetFromJsonAsync<JsonElement>(new Uri($"v1/batches/{batch}", UriKind.Relative), CancellationToken.None);
        return state.GetProperty("status").GetString() is "completed" or "failed" or "cancelled" or "expired";
    }
}
