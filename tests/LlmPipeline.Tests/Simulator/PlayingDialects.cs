using System.IO.Compression;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Time.Testing;

namespace LlmPipeline.Tests;

/// <summary><see cref="SimulatorOptions.Dialects"/>: what real providers were reported to answer.</summary>
public sealed class PlayingDialects
{
    public static TheoryData<string> Rows => [.. DialectTable.Default.Rows.Select(row => row.Name)];

    [Theory]
    [MemberData(nameof(Rows))]
    public async Task A_row_is_played_as_it_is_written(string name)
    {
        var row = DialectTable.Default.Rows.Single(r => r.Name == name);
        var time = new FakeTimeProvider(new DateTimeOffset(2026, 3, 1, 12, 30, 15, TimeSpan.Zero));
        var answer = new DialectAnswer(row, time.GetUtcNow());
        // Pauses take their time; nothing else does.
        await using var simulator = await LlmSimulator.StartAsync(Playing(name), answer.Pause > 0 ? TimeProvider.System : time);
        using var http = Client(simulator);

        for (var n = 1; n < answer.Nth; n++)
            await SaysItsOwnAsync(await SendAsync(http, row));
        var met = 0;
        for (; met < (answer.First ?? 2); met++)
        {
            await IsAsWrittenAsync(simulator, http, answer, met + 1);
            if (answer.First is null && (answer.Nth is not null || answer.Pause > 0))
                break;
        }

        if (answer.First is not null || answer.Nth is not null)
            await SaysItsOwnAsync(await SendAsync(http, row));
        if (row.Marker is not null)
            await SaysItsOwnAsync(await SendAsync(http, row, marked: false));
        if (row.Streamed is { } streamed && row.Route == "chat")
            (await SendAsync(http, row, streamed: !streamed)).EnsureSuccessStatusCode();
        Assert.Equal(answer.First ?? (answer.Nth is null && answer.Pause == 0 ? 2 : 1), simulator.Stats.Dialects[name]);
    }

    [Fact]
    public async Task A_provider_is_all_its_rows_each_as_likely_as_the_others()
    {
        await using var simulator = await LlmSimulator.StartAsync(Playing("groq"));
        var rows = DialectTable.Default.Rows.Where(r => r.Provider == "groq").Select(r => r.Name).ToArray();

        var drawn = Enumerable.Range(0, 5_000).Select(n => simulator.DialectOf(Hash(n))!).CountBy(name => name).ToDictionary();

        Assert.Equal(rows.Order(), drawn.Keys.Order());
        Assert.All(drawn.Values, count => Assert.InRange(count, 5_000 / rows.Length * 0.85, 5_000 / rows.Length * 1.15));
    }

    [Fact]
    public async Task Shares_hold_and_the_rest_is_answered_as_usual()
    {
        await using var simulator = await LlmSimulator.StartAsync(Playing("openrouter=0.3", "exo-nan-logprob=0.1"));

        var drawn = Enumerable.Range(0, 10_000).Select(n => simulator.DialectOf(Hash(n))).ToArray();

        Assert.InRange(drawn.Count(name => name?.StartsWith("openrouter-", StringComparison.Ordinal) == true), 2_850, 3_150);
        Assert.InRange(drawn.Count(name => name == "exo-nan-logprob"), 900, 1_100);
        Assert.InRange(drawn.Count(name => name is null), 5_850, 6_150);
    }

    [Fact]
    public async Task The_same_seed_and_prompt_always_meet_the_same_row_and_another_seed_need_not()
    {
        await using var one = await LlmSimulator.StartAsync(Playing("vllm=0.5"));
        await using var again = await LlmSimulator.StartAsync(Playing("vllm=0.5"));
        var options = Playing("vllm=0.5");
        options.Seed = 2;
        await using var other = await LlmSimulator.StartAsync(options);

        var prompts = Enumerable.Range(0, 500).Select(Hash).ToArray();

        Assert.Equal(prompts.Select(one.DialectOf), prompts.Select(again.DialectOf));
        Assert.NotEqual(prompts.Select(one.DialectOf), prompts.Select(other.DialectOf));
    }

    [Fact]
    public async Task A_call_meets_the_row_that_its_prompt_draws()
    {
        await using var simulator = await LlmSimulator.StartAsync(Playing("tgi-overloaded-429=0.5"));
        using var probe = new SimulatorProbe(simulator);
        for (var n = 0; n < 20; n++)
        {
            using var response = await probe.PostAsync(SimulatorProbe.Chat, SimulatorProbe.Ask("prompt " + n));
            Assert.Equal(simulator.DialectOf(Hash("prompt " + n)) is null ? 200 : 429, (int)response.StatusCode);
        }
    }

    [Fact]
    public async Task With_a_share_the_first_calls_are_those_of_each_prompt()
    {
        await using var simulator = await LlmSimulator.StartAsync(Playing("tgi-overloaded-429=1"));
        using var probe = new SimulatorProbe(simulator);
        foreach (var prompt in (string[])["a", "b"])
        {
            var statuses = new List<int>();
            for (var n = 0; n < 3; n++)
            {
                using var response = await probe.PostAsync(SimulatorProbe.Chat, SimulatorProbe.Ask(prompt));
                statuses.Add((int)response.StatusCode);
            }
            Assert.Equal([429, 429, 200], statuses);
        }
    }

    [Fact]
    public async Task What_beside_the_prompt_changes_between_two_attempts_does_not_change_the_row()
    {
        await using var simulator = await LlmSimulator.StartAsync(Playing("tgi-overloaded-429=0.5"));
        using var probe = new SimulatorProbe(simulator);
        var prompt = Enumerable.Range(0, 100).Select(n => "prompt " + n).First(p => simulator.DialectOf(Hash(p)) is not null);

        using var one = await probe.PostAsync(SimulatorProbe.Chat, SimulatorProbe.Ask(prompt));
        using var other = await probe.PostAsync(SimulatorProbe.Chat, SimulatorProbe.Ask(prompt, ",\"temperature\":0.1"));

        Assert.Equal([429, 429], [(int)one.StatusCode, (int)other.StatusCode]);
    }

    [Fact]
    public async Task Rows_of_time_end_when_it_is_over()
    {
        var time = new FakeTimeProvider();
        await using var simulator = await LlmSimulator.StartAsync(Playing("llamacpp-loading-503"), time);
        using var probe = new SimulatorProbe(simulator);
        time.Advance(TimeSpan.FromHours(1));

        using var start = await probe.PostAsync(SimulatorProbe.Chat, SimulatorProbe.Ask("a"));
        time.Advance(TimeSpan.FromSeconds(89));
        using var late = await probe.PostAsync(SimulatorProbe.Chat, SimulatorProbe.Ask("a"));
        time.Advance(TimeSpan.FromSeconds(1));
        using var loaded = await probe.PostAsync(SimulatorProbe.Chat, SimulatorProbe.Ask("a"));

        Assert.Equal([503, 503, 200], [(int)start.StatusCode, (int)late.StatusCode, (int)loaded.StatusCode]);
    }

    [Theory]
    [InlineData("gemini-wrong-key-400", 400)]
    [InlineData("openai-wrong-key-401", 401)]
    public async Task A_wrong_key_meets_the_row_and_the_right_one_does_not(string name, int status)
    {
        var options = Playing(name);
        options.ApiKey = "right";
        await using var simulator = await LlmSimulator.StartAsync(options);
        using var probe = new SimulatorProbe(simulator);

        using var wrong = await probe.PostAsync(SimulatorProbe.Chat, SimulatorProbe.Ask("a"), ("Authorization", "Bearer wrong"));
        using var right = await probe.PostAsync(SimulatorProbe.Chat, SimulatorProbe.Ask("a"), ("Authorization", "Bearer right"));

        Assert.Equal([status, 200], [(int)wrong.StatusCode, (int)right.StatusCode]);
        Assert.Equal(status, await ModelsAsync(simulator, "wrong"));
        Assert.Equal(200, await ModelsAsync(simulator, "right"));
    }

    [Fact]
    public async Task An_unknown_model_meets_the_row_and_a_served_one_does_not()
    {
        var options = Playing("mistral-unknown-model-400");
        options.Models = ["m"];
        await using var simulator = await LlmSimulator.StartAsync(options);
        using var probe = new SimulatorProbe(simulator);

        using var unknown = await probe.PostAsync(SimulatorProbe.Chat, """{"model":"x\"y","messages":[{"role":"user","content":"a"}]}""");
        using var served = await probe.PostAsync(SimulatorProbe.Chat, SimulatorProbe.Ask("a"));

        Assert.Equal([400, 200], [(int)unknown.StatusCode, (int)served.StatusCode]);
        Assert.Equal(
            "Invalid model: x\"y", JsonElement.Parse(await unknown.Content.ReadAsStringAsync()).GetProperty("message").GetString());
    }

    [Theory]
    [InlineData("ollama-no-models-route", 404)]
    [InlineData("fireworks-models-route-500", 500)]
    [InlineData("openrouter-moderation-403", 200)]
    [InlineData("moonshot-terminated-403", 403)]
    public async Task The_models_are_listed_as_the_row_says(string name, int status)
    {
        await using var simulator = await LlmSimulator.StartAsync(Playing(name));
        Assert.Equal(status, await ModelsAsync(simulator, "any"));
    }

    [Fact]
    public async Task Without_a_dialect_the_models_are_listed_for_the_right_key_only()
    {
        await using var simulator = await LlmSimulator.StartAsync(new() { ApiKey = "right", CountTokens = false });
        Assert.Equal(401, await ModelsAsync(simulator, "wrong"));
        Assert.Equal(200, await ModelsAsync(simulator, "right"));
    }

    [Fact]
    public async Task A_completion_of_the_table_is_counted_with_its_tokens()
    {
        await using var simulator = await LlmSimulator.StartAsync(Playing("gemini-thinking-outside-completion"));
        using var probe = new SimulatorProbe(simulator);

        using var response = await probe.PostAsync(SimulatorProbe.Chat, SimulatorProbe.Ask("a"), ("x-llmpipeline-job-id", "j"));
        var stats = JsonElement.Parse(await probe.GetAsync("stats"));

        Assert.Equal(
            (1, 20, 603, 1), (simulator.Stats.Completed, simulator.Stats.TokensIn, simulator.Stats.TokensOut, simulator.Stats.Jobs));
        Assert.Equal(1, stats.GetProperty("dialects").GetProperty("gemini-thinking-outside-completion").GetInt32());
        Assert.Equal(1, stats.GetProperty("completed").GetInt32());
    }

    [Theory]
    [InlineData("neither a row", "openruoter")]
    [InlineData("must be above 0", "vllm=0")]
    [InlineData("must be above 0", "vllm=1.5")]
    [InlineData("more than 1", "vllm=0.6", "groq=0.6")]
    [InlineData("either all", "vllm=0.6", "groq")]
    public async Task What_cannot_be_played_is_reported(string says, params string[] dialects)
    {
        var refused = await Assert.ThrowsAsync<ArgumentException>(() => LlmSimulator.StartAsync(Playing(dialects)));
        Assert.Contains(says, refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_command_line_takes_names_and_shares()
    {
        var parse = SimulateCommand.Create().Parse(["--dialect", "openrouter=0.3, exo-nan-logprob=0.1"]);
        Assert.Empty(parse.Errors);
        Assert.Equal([new("openrouter", 0.3), new("exo-nan-logprob", 0.1)], parse.GetValue<SimulatorDialect[]>("--dialect")!);
        Assert.Equal([new("groq", 0.1), new("vllm", 0.2)], SimulateCommand.Create().Parse(["--dialect", "groq=0.1", "--dialect", "vllm=0.2"]).GetValue<SimulatorDialect[]>("--dialect")!);
        Assert.Equal([new SimulatorDialect("vllm")], SimulateCommand.Create().Parse(["--dialect", "vllm"]).GetValue<SimulatorDialect[]>("--dialect")!);
    }

    [Fact]
    public void A_share_that_is_no_number_is_reported_by_the_command_line() =>
        Assert.Contains(
            "'vllm=half'",
            Assert.Single(SimulateCommand.Create().Parse(["--dialect", "groq=0.1,vllm=half"]).Errors).Message,
            StringComparison.Ordinal);

    private static SimulatorOptions Playing(params string[] dialects) => new()
    {
        CountTokens = false,
        Dialects = [.. dialects.Select(d => d.Split('=')).Select(d => new SimulatorDialect(d[0], d.Length > 1 ? Number(d[1]) : null))],
    };

    private static double Number(string text) => double.Parse(text, System.Globalization.CultureInfo.InvariantCulture);

    private static string Hash(int prompt) => Hash("prompt " + prompt);

    private static string Hash(string prompt) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(prompt)))[..16];

    private static HttpClient Client(LlmSimulator simulator) =>
        new(new SocketsHttpHandler { AllowAutoRedirect = false, AutomaticDecompression = DecompressionMethods.None })
        {
            BaseAddress = simulator.Address,
            Timeout = TimeSpan.FromSeconds(30),
        };

    private static async Task<int> ModelsAsync(LlmSimulator simulator, string key)
    {
        using var http = Client(simulator);
        http.DefaultRequestHeaders.Authorization = new("Bearer", key);
        using var response = await http.GetAsync("v1/models");
        return (int)response.StatusCode;
    }

    private static Task<HttpResponseMessage> SendAsync(
        HttpClient http, Dialect row, bool marked = true, bool? streamed = null, CancellationToken cancellationToken = default)
    {
        var text = marked && row.Marker is { } marker ? $"hello {marker}" : "hello";
        var prompt = row.Route == "responses" ? $"\"input\":\"{text}\"" : $$"""
            "messages":[{"role":"user","content":"{{text}}"}]
            """;
        var stream = (streamed ?? row.Streamed) == true ? ",\"stream\":true" : "";
        var request = new HttpRequestMessage(HttpMethod.Post, row.Route == "responses" ? "v1/responses" : "v1/chat/completions")
        {
            Content = new StringContent($$"""{"model":"{{DialectAnswer.Model}}",{{prompt}}{{stream}}}"""),
        };
        request.Headers.AcceptEncoding.ParseAdd("gzip");
        return http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
    }

    private static async Task IsAsWrittenAsync(LlmSimulator simulator, HttpClient http, DialectAnswer answer, int nth)
    {
        if (answer.Connection is "hang")
        {
            using var gone = new CancellationTokenSource();
            var call = SendAsync(http, answer.Row, cancellationToken: gone.Token);
            await SimulatorProbe.Until(() => simulator.Stats.Dialects.ContainsKey(answer.Row.Name));
            Assert.False(call.IsCompleted);
            await gone.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
            return;
        }
        if (answer.Connection is "reset")
        {
            await Assert.ThrowsAsync<HttpRequestException>(() => SendAsync(http, answer.Row));
            return;
        }
        using var response = await SendAsync(http, answer.Row);
        Assert.Equal(answer.Status(nth), (int)response.StatusCode);
        Assert.All(answer.Headers, header => Assert.Equal(header.Value, ValueOf(response, header.Name)));
        if (answer.Connection is "cut")
        {
            await Assert.ThrowsAsync<HttpRequestException>(() => response.Content.ReadAsByteArrayAsync());
            return;
        }
        var body = await response.Content.ReadAsByteArrayAsync();
        Assert.Equal(answer.Encoding is "gzip" or "gzipIfAccepted" ? "gzip" : null, ValueOf(response, "content-encoding"));
        if (answer.Encoding is not "none")
            body = Decompressed(body);
        if (answer.IsOwn)
            Assert.StartsWith("chatcmpl-sim", JsonElement.Parse(body).GetProperty("id").GetString(), StringComparison.Ordinal);
        else if (ValueOf(response, "content-type") == "application/json" && answer.Row.Answer.TryGetProperty("json", out _))
            Assert.True(JsonElement.DeepEquals(JsonElement.Parse(answer.Body), JsonElement.Parse(body)), Encoding.UTF8.GetString(body));
        else
            Assert.Equal(answer.Body, body);
    }

    private static async Task SaysItsOwnAsync(HttpResponseMessage response)
    {
        using (response)
        {
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
            Assert.Matches("(chatcmpl-|resp_)sim", await response.Content.ReadAsStringAsync());
        }
    }

    private static string? ValueOf(HttpResponseMessage response, string name) =>
        response.Headers.TryGetValues(name, out var values) || response.Content.Headers.TryGetValues(name, out values)
            ? string.Join(", ", values)
            : null;

    private static byte[] Decompressed(byte[] body)
    {
        using var whole = new MemoryStream();
        using (var gzip = new GZipStream(new MemoryStream(body), CompressionMode.Decompress))
            gzip.CopyTo(whole);
        return whole.ToArray();
    }
}
