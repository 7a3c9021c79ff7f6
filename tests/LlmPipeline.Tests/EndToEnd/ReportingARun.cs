using System.Text.Json.Nodes;
using LlmPipeline.Tests;

namespace LlmPipeline;

/// <summary>The report at the end of a run, and that of <c>--check</c>.</summary>
public sealed class ReportingARun : IDisposable
{
    private readonly Llmpipe _llmpipe = new();

    public void Dispose() => _llmpipe.Dispose();

    [Fact]
    public async Task Each_kind_of_failure_is_counted_with_the_providers_sentence_once_and_without_keys()
    {
        await using var endpoint = await FailingAsync();

        var (exitCode, output, error) = await _llmpipe.RunAsync("run", "in.txt", "--json", "--model", "m", "--concurrency", "1");

        Assert.True(exitCode == 3, error);
        Assert.Single(error.Split('\n'), line => line.StartsWith("  HTTP 400 bad_seed: 3 (The seed is\uFFFD[31m too large for key ", StringComparison.Ordinal));
        Assert.Single(error.Split('\n'), line => line == "  HTTP 413 too_long: 1 (At most 9 tokens.)");
        Assert.Contains("56 prompt (24 of them cached) and 16 completion tokens, 12 calls in ", error);
        Assert.DoesNotContain("sk-secret", error + output);
        Assert.DoesNotContain('\u001b', error + output);
        var report = JsonNode.Parse(output)!;
        Assert.Equal((3, 1), ((int)report["failures"]!["HTTP 400 bad_seed"]!, (int)report["failures"]!["HTTP 413 too_long"]!));
        Assert.Equal("At most 9 tokens.", (string?)report["failure_messages"]!["HTTP 413 too_long"]);
        Assert.Equal((56, 24, 16), ((long)report["input_tokens"]!, (long)report["cached_tokens"]!, (long)report["output_tokens"]!));
    }

    [Fact]
    public async Task A_log_has_no_sentence_of_a_provider()
    {
        await using var endpoint = await FailingAsync();

        var (exitCode, _, error) = await _llmpipe.RunAsync("run", "in.txt", "--model", "m", "--concurrency", "1", "--log-format", "json");

        Assert.True(exitCode == 3, error);
        Assert.Contains("HTTP 413 too_long: 1", error);
        Assert.DoesNotContain("At most 9 tokens", error);
    }

    [Fact]
    public async Task A_check_tells_the_time_by_the_limits_the_range_of_the_cost_and_what_would_be_refused()
    {
        _llmpipe.Environment["OPENAI_BASE_URL"] = "http://127.0.0.1:9/v1";
        _llmpipe.Environment["LLMPIPE__Prices__m__Input"] = "1";
        _llmpipe.Environment["LLMPIPE__Prices__m__Output"] = "10";
        _llmpipe.Write("in.jsonl",
        [
            .. Enumerable.Range(1, 99).Select(n => Rows.Json(new { model = "m", messages = new[] { new { role = "user", content = "one two" } } })),
            Rows.Json(new { model = "m", max_tokens = 9000, messages = new[] { new { role = "user", content = "one two" } } }),
        ]);

        var (exitCode, output, error) = await _llmpipe.RunAsync("run", "in.jsonl", "--check", "--json", "--rpm", "10", "--tpm", "8000", "--budget", "0.10");

        Assert.True(exitCode == 0, error);
        var report = JsonNode.Parse(output)!;
        var prompt = (long)report["prompt_tokens"]!;
        Assert.Equal((25_600, 600.0, "requests/min", 1), ((long)report["completion_tokens"]!, (double)report["seconds_at_least"]!, (string)report["deciding_limit"]!, (long)report["oversized_rows"]!));
        Assert.Equal((prompt + (10 * 6_400)) / 1_000_000m, (decimal)report["cost_if_short"]!);
        Assert.Equal((prompt + (10 * 102_400)) / 1_000_000m, (decimal)report["cost_if_long"]!);
        Assert.Contains("25,600 completion tokens (assumed: 256 an answer, or a row's limit where that is lower)", error);
        Assert.Contains("at least 10 min 0 s at the requests/min that the settings allow", error);
        Assert.Contains("1 rows are larger than the tokens/min of every deployment, the first is line-100", error);
        Assert.Contains("the budget of 0.10 is less than that: the run stops after about 3", error);
    }

    [Theory]
    [InlineData("--tpm 1000", "at the tokens/min that the settings allow")]
    [InlineData("--concurrency 7", "no limit is set (--rpm, --tpm): the endpoint's answers to 7 calls at the same time decide")]
    public async Task A_check_names_what_decides_how_long_it_takes(string options, string said)
    {
        _llmpipe.Environment["OPENAI_BASE_URL"] = "http://127.0.0.1:9/v1";
        _llmpipe.Write("in.jsonl", Rows.BatchLines(20));

        var (exitCode, _, error) = await _llmpipe.RunAsync(["run", "in.jsonl", "--check", .. options.Split(' ')]);

        Assert.True(exitCode == 0, error);
        Assert.Contains(said, error);
    }

    private Task<RawEndpoint> FailingAsync()
    {
        var endpoint = new RawEndpoint((request, _) =>
            request.Text.Contains("seed", StringComparison.Ordinal) ? new RawReply(400, """{"error":{"code":"bad_seed","param":"seed","message":"The seed is\u001b[31m too large for key sk-secret-1234567890."}}""")
            : request.Text.Contains("long", StringComparison.Ordinal) ? new RawReply(413, """{"error":{"code":"too_long","message":"At most 9 tokens."}}""")
            : RawReply.Ok);
        _llmpipe.Environment["OPENAI_BASE_URL"] = endpoint.Url + "/v1";
        _llmpipe.Environment["OPENAI_API_KEY"] = "sk-secret-1234567890";
        _llmpipe.Write("in.txt", ["a", "b", "c", "d", "e", "seed 1", "f", "seed 2", "long", "g", "seed 3", "h"]);
        return Task.FromResult(endpoint);
    }
}
