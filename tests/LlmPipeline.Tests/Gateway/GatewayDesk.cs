using System.ClientModel;
using System.ClientModel.Primitives;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using OpenAI;
using OpenAI.Batch;
using OpenAI.Files;

namespace LlmPipeline;

/// <summary>Where somebody sits who uses a gateway: with the official client, with plain HTTP, and a model of his own.</summary>
internal sealed class GatewayDesk : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);

    public GatewayDesk(GatewayProcess gateway, string key = GatewayHouse.Key)
    {
        Address = gateway.Address;
        var options = new OpenAIClientOptions { Endpoint = new Uri(gateway.Address, "v1"), RetryPolicy = new ClientRetryPolicy(0) };
        Files = new OpenAIFileClient(new ApiKeyCredential(key), options);
        Batches = new BatchClient(new ApiKeyCredential(key), options);
        Http = new HttpClient { BaseAddress = gateway.Address };
        Http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
    }

    public Uri Address { get; }

    public OpenAIFileClient Files { get; }

    public BatchClient Batches { get; }

    public HttpClient Http { get; }

    /// <summary>A model that nobody else uses, so a queue of its own.</summary>
    public string Model { get; } = Stores.NewName("model");

    /// <summary>Lines of a batch.</summary>
    /// <param name="rows">How many; custom_ids are row-1 and so on.</param>
    /// <param name="fails">Which of them the endpoint refuses, for good.</param>
    public string Lines(int rows, Func<int, bool>? fails = null) => string.Concat(Enumerable.Range(1, rows).Select(n => Rows.Json(new
    {
        custom_id = $"row-{n}",
        method = "POST",
        url = "/v1/chat/completions",
        body = new
        {
            model = Model,
            messages = new[] { new { role = "user", content = $"Count to {n}" } },
            response_format = new { type = fails?.Invoke(n) == true ? "poem" : "text" },
        },
    }) + "\n"));

    /// <summary>Uploads a file; answers its id.</summary>
    public async Task<string> UploadAsync(string text, string name = "in.jsonl") =>
        (await Files.UploadFileAsync(BinaryData.FromString(text), name, FileUploadPurpose.Batch)).Value.Id;

    /// <summary>Makes a batch of lines; answers it.</summary>
    public async Task<CreateBatchOperation> CreateAsync(string file, string window = "24h", string endpoint = "/v1/chat/completions") => await Batches.CreateBatchAsync(
        BinaryContent.CreateJson(new { input_file_id = file, endpoint, completion_window = window, metadata = new { of = "tests" } }), waitUntilCompleted: false);

    /// <summary>Looks at a batch.</summary>
    public async Task<JsonNode> BatchAsync(string id) => await GetAsync($"v1/batches/{id}");

    /// <summary>Waits until a batch has a status.</summary>
    public async Task<JsonNode> BecomesAsync(string id, string status)
    {
        JsonNode batch = null!;
        await Eventually.HoldsAsync(
            async () => (string)(batch = await BatchAsync(id))["status"]! is var now && (now == status || (now is "failed" or "completed" or "expired" or "cancelled" ? throw new InvalidOperationException($"{batch}") : false)),
            $"batch {id} is {status}", Patience);
        return batch;
    }

    /// <summary>Waits until so many rows of a batch are completed.</summary>
    public async Task<JsonNode> CompletesAsync(string id, int rows)
    {
        JsonNode batch = null!;
        await Eventually.HoldsAsync(async () => (int)(batch = await BatchAsync(id))["request_counts"]!["completed"]! >= rows, $"{rows} rows of batch {id} are completed", Patience);
        return batch;
    }

    /// <summary>The lines of a file.</summary>
    public async Task<IReadOnlyList<JsonNode>> LinesOfAsync(string? file) => file is null
        ? []
        : [.. Encoding.UTF8.GetString((await Files.DownloadFileAsync(file)).Value).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonNode.Parse(line)!)];

    /// <summary>The <c>custom_id</c>s of a file's lines.</summary>
    public async Task<IReadOnlyList<string>> IdsOfAsync(string? file) => [.. (await LinesOfAsync(file)).Select(line => (string)line["custom_id"]!)];

    public async Task<JsonNode> GetAsync(string path)
    {
        using var answer = await Http.GetAsync(path);
        var text = await answer.Content.ReadAsStringAsync();
        Assert.True(answer.IsSuccessStatusCode, $"{path}: {(int)answer.StatusCode} {text}");
        return JsonNode.Parse(text)!;
    }

    /// <summary>Sends something that is refused; answers the error, whose four fields are all there.</summary>
    public async Task<(int Status, string? Type, string? Code, string? Param, string Message)> RefusedAsync(HttpMethod method, string path, HttpContent? content = null)
    {
        using var request = new HttpRequestMessage(method, path) { Content = content };
        using var answer = await Http.SendAsync(request);
        return await ErrorAsync(answer);
    }

    public static async Task<(int Status, string? Type, string? Code, string? Param, string Message)> ErrorAsync(HttpResponseMessage answer)
    {
        var text = await answer.Content.ReadAsStringAsync();
        Assert.False(answer.IsSuccessStatusCode, text);
        Assert.Equal("application/json", answer.Content.Headers.ContentType?.MediaType);
        var error = JsonNode.Parse(text)!["error"]!.AsObject();
        Assert.Equal(["code", "message", "param", "type"], error.Select(f => f.Key).Order(StringComparer.Ordinal));
        return ((int)answer.StatusCode, (string?)error["type"], (string?)error["code"], (string?)error["param"], (string)error["message"]!);
    }

    public static StringContent Json(string text) => new(text, Encoding.UTF8, "application/json");

    public void Dispose() => Http.Dispose();
}
