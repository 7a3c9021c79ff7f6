using System.Diagnostics;
using System.Text;
using System.Text.Json;

namespace LlmPipeline.Tests;

/// <summary>A client that sends what it is given and shows what it gets.</summary>
internal sealed class SimulatorProbe(LlmSimulator simulator) : IDisposable
{
    public const string Chat = "v1/chat/completions";
    public const string AzureChat = "openai/deployments/gpt/chat/completions?api-version=2024-10-21";

    private readonly HttpClient _http = new() { BaseAddress = simulator.Address, Timeout = TimeSpan.FromSeconds(20) };

    public static string Ask(string question, string more = "") =>
        $$"""{"model":"m","messages":[{"role":"user","content":{{JsonSerializer.Serialize(question)}}}]{{more}}}""";

    public Task<HttpResponseMessage> PostAsync(string path, string body, params (string Name, string Value)[] headers) =>
        PostAsync(path, body, CancellationToken.None, headers);

    public async Task<HttpResponseMessage> PostAsync(string path, string body, CancellationToken cancellationToken, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new ByteArrayContent(Encoding.UTF8.GetBytes(body)) };
        foreach (var (name, value) in headers)
            request.Headers.TryAddWithoutValidation(name, value);
        return await _http.SendAsync(request, cancellationToken);
    }

    public async Task<JsonElement> AnswerAsync(string path, string body, params (string Name, string Value)[] headers)
    {
        using var response = await PostAsync(path, body, headers);
        return JsonElement.Parse(await response.Content.ReadAsStringAsync());
    }

    public async Task<string> TextAsync(string body) =>
        (await AnswerAsync(Chat, body)).GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString()!;

    public Task<string> GetAsync(string path) => _http.GetStringAsync(path);

    /// <summary>Waits for what happens on the other side of a socket.</summary>
    public static async Task Until(Func<bool> holds)
    {
        var clock = Stopwatch.StartNew();
        while (!holds())
        {
            Assert.True(clock.Elapsed < TimeSpan.FromSeconds(20), "It did not come about within 20 s.");
            await Task.Delay(5);
        }
    }

    public void Dispose() => _http.Dispose();
}
