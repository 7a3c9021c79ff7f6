using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace LlmPipeline.Tests;

/// <summary>
/// One run, and one worker behind a gateway, with a deployment for each row of the dialect table (docs/providers.md): none of them may
/// disturb another.
/// </summary>
[Trait("Category", "Slow")]
public sealed class RunningDialects : IDisposable
{
    private const int RowsOfEach = 6;
    private const int Marked = 3;

    private readonly Llmpipe _llmpipe = new();

    private static IEnumerable<Dialect> Table => DialectTable.Default.Rows.Where(row => !row.Expect.Slow);

    public void Dispose() => _llmpipe.Dispose();

    [Fact]
    public async Task A_run_brings_what_each_row_of_the_table_says()
    {
        // A row with stream: true is refused by run.
        var table = Table.Where(row => row.Streamed != true).ToList();
        await using var endpoints = await EndpointsAsync(table);
        _llmpipe.Write("in.jsonl", Enumerable.Range(1, RowsOfEach).SelectMany(n => table.Select(row => Line(row, n))));

        var (exitCode, _, error) = await _llmpipe.RunAsync(
            "run", "in.jsonl", "--concurrency", "200", "--max-attempts", "6", "--attempt-timeout", "30");

        // Models that cannot be called are left for a later run.
        Assert.True(exitCode == 1, error);
        var lines = Directory.GetFiles(_llmpipe.Folder, "in.results.jsonl*").SelectMany(
            File.ReadAllLines).Where(line => line.Contains("custom_id", StringComparison.Ordinal))
            .ToLookup(line => ((string?)JsonNode.Parse(line)!["custom_id"])!);
        var faults = table.SelectMany(row => Enumerable.Range(1, RowsOfEach).Select(n => Fault(row, n, [.. lines[Name(row, n)]]))).Where(
            fault => fault is not null).ToList();
        Assert.True(faults.Count == 0, $"{faults.Count} rows:\n{string.Join('\n', faults)}\n{error}");
    }

    [Fact]
    public async Task A_streamed_call_through_the_gateway_ends_with_an_answer_or_an_error()
    {
        var table = Table.Where(row => row.Streamed != false && row.Route is null or "chat" && row.Expect.Exit == 0).ToList();
        await using var endpoints = await EndpointsAsync(table);
        await using var house = await GatewayHouse.OpenAsync();
        using var worker = new RunningProcess(_llmpipe, "work", "--redis", house.Fleet.Server.Address, "--concurrency", "100");
        using var http = new HttpClient { Timeout = TimeSpan.FromMinutes(2) };
        http.DefaultRequestHeaders.Add("Authorization", $"Bearer {GatewayHouse.Key}");

        var faults = await Task.WhenAll(table.Select(async row =>
        {
            var body = new StringContent(
                $$"""{"model":"{{Model(row)}}","stream":true,"messages":[{"role":"user","content":"hello"}]}""",
                Encoding.UTF8,
                "application/json");
            using var response = await http.PostAsync(new Uri(house.Gateway.Address, "v1/chat/completions"), body);
            var text = await response.Content.ReadAsStringAsync();
            // Text that was sent cannot be taken back: a stream that breaks off behind it ends with an error.
            if (row.Outcome == DialectOutcome.Transient && text.Split("data: ")[^1].Contains("\"error\"", StringComparison.Ordinal))
                return null;
            return (int)response.StatusCode == 200
                && text.TrimEnd().EndsWith("data: [DONE]", StringComparison.Ordinal)
                && (row.Expect.Text is null || Said(text) == row.Expect.Text)
                ? null
                : $"{row.Name}: HTTP {(int)response.StatusCode} {text}";
        }));

        Assert.DoesNotContain(faults, fault => fault is not null);
    }

    // The deltas as JSON first: half of a character may be in one, and half in the next.
    private static string? Said(string events) => JsonSerializer.Deserialize<string>('"' + string.Concat(events.Split('\n')
        .Where(line => line.StartsWith("data: {", StringComparison.Ordinal))
        .Select(line => JsonDocument.Parse(line["data: ".Length..]).RootElement)
        .SelectMany(
            chunk =>
                chunk.TryGetProperty("choices", out var choices) && choices.ValueKind == JsonValueKind.Array
                    ? choices.EnumerateArray().ToArray()
                    : [])
        .Select(choice => choice.TryGetProperty("delta", out var delta) && delta.ValueKind == JsonValueKind.Object && delta.TryGetProperty("content", out var text) && text.ValueKind == JsonValueKind.String
            ? text.GetRawText()[1..^1] : "")) + '"');

    private static string? Fault(Dialect row, int n, IReadOnlyList<string> lines)
    {
        var says = row.Expect.Exit == 3 && (row.Expect.Failed == FailedRows.All || n == Marked)
            ? "failed"
            : row.Expect.Exit == 1
            ? "missing"
            : "completed";
        if (lines.Count > 1)
            return $"{Name(row, n)} has {lines.Count} lines";
        var line = lines.Count == 0 ? null : JsonNode.Parse(lines[0]);
        var isError = line is not null && ((int?)line["response"]?["status_code"] is not (>= 200 and < 300) || line["error"] is not null);
        var found = lines.Count == 0 ? "missing" : isError ? "failed" : "completed";
        var body = lines.Count == 0 ? "" : lines[0];
        if (found != says)
            return $"{Name(row, n)} is {found}, not {says}: {body}";
        return says == "completed"
            && row.Expect.Text is { } text
            && !body.Contains(text, StringComparison.Ordinal)
            && !body.Contains(JsonSerializer.Serialize(text)[1..^1], StringComparison.OrdinalIgnoreCase)
            ? $"{Name(row, n)} lacks '{text}': {body}"
            : null;
    }

    private async Task<Endpoints> EndpointsAsync(IReadOnlyList<Dialect> table)
    {
        var simulators = new List<LlmSimulator>();
        foreach (var row in table)
            simulators.Add(
                await LlmSimulator.StartAsync(
                    new SimulatorOptions { Dialects = [new SimulatorDialect(row.Name)], CountTokens = false, CountJobs = false }));
        _llmpipe.Write("llmpipe.json", Rows.Json(new
        {
            MaxRetryAfter = 3,
            Deployments = table.Select(
                (row, n) =>
                    new
                    {
                        row.Name,
                        Endpoint = simulators[n].BaseUrl.ToString().TrimEnd('/'),
                        Model = Model(row),
                        ApiKey = "sk-of-the-tests-0123456789",
                    }),
        }));
        return new Endpoints(simulators);
    }

    private static string Model(Dialect row) => $"m-{row.Name}";

    private static string Name(Dialect row, int n) => $"{row.Name}#{n}";

    private static string Line(Dialect row, int n)
    {
        var text = $"question {n}{(n == Marked ? " POISON" : "")}";
        var body = new JsonObject { ["model"] = Model(row) };
        var path = row.Route switch { "embeddings" => "/v1/embeddings", "completions" => "/v1/completions", "responses" => "/v1/responses", _ => "/v1/chat/completions" };
        if (path == "/v1/chat/completions")
            body["messages"] = new JsonArray(new JsonObject { ["role"] = "user", ["content"] = text });
        else
            body[path == "/v1/completions" ? "prompt" : "input"] = text;
        return new JsonObject { ["custom_id"] = Name(row, n), ["method"] = "POST", ["url"] = path, ["body"] = body }.ToJsonString();
    }

    private sealed class Endpoints(List<LlmSimulator> simulators) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync()
        {
            foreach (var simulator in simulators)
                await simulator.DisposeAsync();
        }
    }
}
