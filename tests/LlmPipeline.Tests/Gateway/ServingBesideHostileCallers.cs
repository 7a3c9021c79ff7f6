using System.Text;

namespace LlmPipeline.Tests;

/// <summary>
/// Synchronous calls of one key while another key's batch of the same model is refused, fails, hangs, and brings answers that are too large or have absurd headers.
/// <c>./bench.sh hostile</c> measures what it costs them.
/// </summary>
[Trait("Category", "Slow")]
public sealed class ServingBesideHostileCallers
{
    private const int Calls = 200;
    private const int AtOnce = 8;
    private const int RowsOfEach = 6;
    private const int MaxAnswerBytes = 1024 * 1024;

    // Compilers, garbage and a full machine included: a call that waits for a hanging row would wait for as long as that hangs.
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(30);
    private static readonly string[] Kinds = ["forbidden", "broken", "giant", "beyond", "headers", "hang"];

    [Fact]
    public async Task Each_honest_call_is_answered_beside_rows_that_go_wrong_in_every_way()
    {
        await using var endpoint = new RawEndpoint((request, _) => Reply(request.Text));
        await using var house = await GatewayHouse.OpenAsync();
        house.Fleet.Set("MaxAnswerBytes", $"{MaxAnswerBytes}");
        house.Fleet.Set("AttemptTimeout", "60");
        house.Fleet.Set("Deployments__0__Name", "raw");
        house.Fleet.Set("Deployments__0__Model", "m");
        house.Fleet.Set("Deployments__0__Endpoint", endpoint.Url + "/v1");
        await house.Fleet.StartWorkerAsync(concurrency: 32);
        using var hostile = new GatewayDesk(house.Gateway, GatewayHouse.OtherKey);
        using var honest = new GatewayDesk(house.Gateway);
        honest.Http.Timeout = Longest;

        await hostile.CreateAsync(await hostile.UploadAsync(string.Concat(Enumerable.Range(0, RowsOfEach * Kinds.Length).Select(Line))));
        await Eventually.HoldsAsync(() => Task.FromResult(Array.TrueForAll(Kinds, kind => endpoint.Requests.Any(request => request.Text.Contains(kind, StringComparison.Ordinal)))), "each kind was called", Longest);
        var answers = await CallAsync(honest.Http);

        Assert.All(answers, answer => Assert.Equal("200 four", answer));
        Assert.True(endpoint.Requests.Count(request => request.Text.Contains("honest", StringComparison.Ordinal)) == Calls, "each was called once");
    }

    private static RawReply Reply(string request) => Kinds.FirstOrDefault(kind => request.Contains(kind, StringComparison.Ordinal)) switch
    {
        "forbidden" => new RawReply(403, """{"error":{"message":"Your input was flagged","code":403}}"""),
        "broken" => new RawReply(500, """{"error":{"message":"The server had an error","type":"server_error"}}"""),
        "giant" => RawReply.Ok with { Body = Answer(MaxAnswerBytes - 1024) },
        "beyond" => RawReply.Ok with { Body = Answer(2 * MaxAnswerBytes) },
        "headers" => new RawReply(
            200, RawReply.Completion, "retry-after: 86400", "x-ratelimit-limit-requests: -1", "x-ratelimit-remaining-requests: NaN", $"x-ratelimit-reset-requests: {new string('9', 400)}",
            $"x-request-id: {new string('i', 8000)}", "date: the day before yesterday"),
        "hang" => RawReply.Ok with { IsSilent = true },
        _ => RawReply.Ok,
    };

    private static string Answer(int bytes) => RawReply.Completion.Replace("four", new string('a', bytes - RawReply.Completion.Length), StringComparison.Ordinal);

    private static string Line(int row) => Rows.Json(new
    {
        custom_id = $"row-{row}",
        method = "POST",
        url = "/v1/chat/completions",
        body = new { model = "m", messages = new[] { new { role = "user", content = Kinds[row % Kinds.Length] } } },
    }) + "\n";

    private static async Task<string[]> CallAsync(HttpClient http)
    {
        var answers = new string[Calls];
        await Parallel.ForEachAsync(Enumerable.Range(0, Calls), new ParallelOptions { MaxDegreeOfParallelism = AtOnce }, async (n, cancellationToken) =>
        {
            using var body = new StringContent($$"""{"model":"m","messages":[{"role":"user","content":"honest {{n}}"}]}""", Encoding.UTF8, "application/json");
            using var response = await http.PostAsync(new Uri("v1/chat/completions", UriKind.Relative), body, cancellationToken);
            var text = await response.Content.ReadAsStringAsync(cancellationToken);
            answers[n] = $"{(int)response.StatusCode} {(text == RawReply.Completion ? "four" : text)}";
        });
        return answers;
    }
}
