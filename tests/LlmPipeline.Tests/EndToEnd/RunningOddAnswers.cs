using System.Text.Json.Nodes;
using LlmPipeline.Tests;

namespace LlmPipeline;

/// <summary>A run whose endpoint answers HTTP 200 without an answer, or with a special one.</summary>
public sealed class RunningOddAnswers : IDisposable
{
    private readonly Llmpipe _llmpipe = new();

    public void Dispose() => _llmpipe.Dispose();

    [Fact]
    public async Task Rows_without_an_answer_fail_with_the_body_and_the_special_ones_are_counted()
    {
        string[] messages =
            ["{\"content\":null,\"refusal\":\"no\"}", "{\"content\":\"\"}", "{\"content\":\"\\ud83d\"}", "{\"content\":\"four\"}"];
        await using var endpoint = new RawEndpoint((request, _) => request.Text.Contains("q5", StringComparison.Ordinal)
            ? new RawReply(200, """{"error":{"message":"too long","code":"context_length_exceeded"}}""")
            : new RawReply(200, $$"""{"choices":[{"index":0,"message":{{messages[request.Text[request.Text.IndexOf('q') + 1] - '1']}},"finish_reason":"{{(request.Text.Contains("q4", StringComparison.Ordinal) ? "length" : "stop")}}"}]}"""));
        _llmpipe.Environment["OPENAI_BASE_URL"] = endpoint.Url + "/v1";
        _llmpipe.Write("in.txt", Enumerable.Range(1, 5).Select(n => $"q{n}"));

        var (exitCode, output, error) = await _llmpipe.RunAsync("run", "in.txt", "--json", "--model", "m");

        Assert.True(exitCode == 3, error);
        var report = JsonNode.Parse(output)!;
        Assert.Equal((4, 1, 5), ((int)report["completed_rows"]!, (int)report["failed_rows"]!, (int)report["calls"]!));
        Assert.Equal(
            [1, 1, 1, 1],
            new[] { "cut_off_answers", "empty_answers", "refused_answers", "lenient_answers" }.Select(name => (int)report[name]!));
        Assert.Contains("of the answers 1 cut off, 1 empty, 1 refused, 1 lenient JSON", error, StringComparison.Ordinal);
        var failed = JsonNode.Parse(Assert.Single(_llmpipe.Lines("in.errors.jsonl")))!;
        Assert.Equal(
            ("context_length_exceeded", "too long"),
            ((string?)failed["error"]!["code"], (string?)failed["response"]!["body"]!["error"]!["message"]));
    }

    [Fact]
    public async Task Completions_of_an_earlier_run_that_are_none_are_found_in_its_file_and_run_again()
    {
        await using var endpoint = await LlmSimulator.StartAsync(new SimulatorOptions { CountTokens = false });
        _llmpipe.Environment["OPENAI_BASE_URL"] = endpoint.BaseUrl.ToString();
        _llmpipe.Write("in.jsonl", Rows.BatchLines(5));
        Assert.Equal(0, (await _llmpipe.RunAsync("run", "in.jsonl")).ExitCode);
        var lines = _llmpipe.Lines("in.results.jsonl");
        var line = JsonNode.Parse(lines[2])!;
        line["response"]!["body"] = new JsonObject { ["choices"] = new JsonArray(), ["note"] = "secret" };
        _llmpipe.Write("in.results.jsonl", [.. lines[..2], line.ToJsonString(), .. lines[3..]]);

        var found = await _llmpipe.RunAsync("doctor", "--answers", "in.results.jsonl");
        var untouched = await _llmpipe.RunAsync("run", "in.jsonl");
        var again = await _llmpipe.RunAsync("run", "in.jsonl", "--retry-failed");
        var clean = await _llmpipe.RunAsync("doctor", "--answers", "in.results.jsonl");

        Assert.Equal((1, 0, 0, 0), (found.ExitCode, untouched.ExitCode, again.ExitCode, clean.ExitCode));
        Assert.Equal(((string)line["id"]!)["batch_req_".Length..], found.Out.Split(": ")[0]);
        Assert.DoesNotContain("secret", found.Out + found.Error, StringComparison.Ordinal);
        Assert.Contains("1 rows that count as completed hold no answer; they run again", again.Error, StringComparison.Ordinal);
        Assert.Equal((6L, 5), (endpoint.Stats.Calls, _llmpipe.Lines("in.results.jsonl").Length));
        Assert.DoesNotContain("\"choices\":[]", string.Concat(_llmpipe.Lines("in.results.jsonl")), StringComparison.Ordinal);
    }
}
