using System.Text;
using System.Text.Json;

namespace LlmPipeline.Tests;

/// <summary>Characters that split lines, move cursors or are half of another, in inputs and in what an endpoint says.</summary>
public sealed class MeetingOddText : IDisposable
{
    private readonly Llmpipe _llmpipe = new();

    public void Dispose() => _llmpipe.Dispose();

    private static string Row(string id, string content) =>
        $$$"""{"custom_id":"{{{id}}}","method":"POST","url":"/v1/chat/completions","body":{"model":"m","messages":[{"role":"user","content":"{{{content}}}"}],"max_tokens":20}}""";

    private void Use(RawEndpoint endpoint)
    {
        _llmpipe.Environment["OPENAI_BASE_URL"] = endpoint.Url + "/v1";
        _llmpipe.Environment["LLMPIPE__Prices__m__Input"] = "1";
        _llmpipe.Environment["LLMPIPE__Prices__m__Output"] = "2";
    }

    private static RawReply Answer(string content) =>
        new(200, $$$"""{"id":"c","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"{{{content}}}"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2}}""");

    [Fact]
    public async Task Half_a_surrogate_pair_in_a_prompt_is_checked_priced_sent_and_shown_in_a_table()
    {
        await using var endpoint = new RawEndpoint((_, _) => Answer("half \\udc00 too"));
        Use(endpoint);
        _llmpipe.Write(
            "in.jsonl", [Row("a", "cut emoji \\ud83d end"), Row("b", "whole \\ud83d\\ude00").Replace("\"max_tokens\"", "\"\\ud83d\"")]);

        var check = await _llmpipe.RunAsync("run", "in.jsonl", "--check");
        Assert.True(check.ExitCode == 0, check.Error);
        var run = await _llmpipe.RunAsync("run", "in.jsonl", "-o", "out.csv", "--budget", "1");

        Assert.True(run.ExitCode == 0, run.Error);
        Assert.Equal(2, endpoint.Requests.Count);
        Assert.Contains(endpoint.Requests, request => request.Text.Contains("cut emoji \\ud83d end", StringComparison.Ordinal));
        Assert.Equal(
            ["custom_id,prompt,answer,error", "a,cut emoji \uFFFD end,half \\udc00 too,", "b,whole 😀,half \\udc00 too,"],
            _llmpipe.Lines("out.csv"));
    }

    [Fact]
    public async Task Lines_of_output_are_one_line_for_every_reader_and_keep_their_text()
    {
        await using var endpoint = new RawEndpoint((_, _) => Answer("one\u2028two\u2029three\u0085"));
        Use(endpoint);
        _llmpipe.Write("in.jsonl", [Row("a\u2028b", "para\u2029graph \u0085")]);

        var (exitCode, _, error) = await _llmpipe.RunAsync("run", "in.jsonl");

        Assert.True(exitCode == 0, error);
        Assert.Contains("para\u2029graph \u0085", Assert.Single(endpoint.Requests).Text, StringComparison.Ordinal);
        var output = await File.ReadAllTextAsync(_llmpipe.PathOf("in.results.jsonl"));
        Assert.Equal(output.Length - 1, output.IndexOfAny(['\n', '\r', '\u0085', '\u2028', '\u2029']));
        using var line = JsonDocument.Parse(output);
        Assert.Equal("a\u2028b", line.RootElement.GetProperty("custom_id").GetString());
        Assert.Equal(
            "one\u2028two\u2029three\u0085",
            line.RootElement.GetProperty("response").GetProperty("body").GetProperty("choices")[0].GetProperty("message")
                .GetProperty("content")
                .GetString());
    }

    [Fact]
    public async Task What_an_endpoint_says_moves_no_cursor_and_forges_no_line()
    {
        var said = JsonSerializer.Serialize(
            new
            {
                error = new
                {
                    message = "bad \u001b[2J\nllmpipe: all is well\u202E",
                    type = "x",
                    code = "odd\u001b]0;title\u0007 code " + new string('x', 500),
                },
            });
        await using var endpoint = new RawEndpoint(
            (request, _) =>
                new RawReply(request.Text.Contains("stop", StringComparison.Ordinal) ? 401 : 400, said, "x-request-id: \u001b[31mid"));
        Use(endpoint);
        _llmpipe.Write("in.jsonl", [Row("a", "go")]);
        _llmpipe.Write("stop.jsonl", [Row("a", "stop")]);

        var failed = await _llmpipe.RunAsync("run", "in.jsonl");
        var stopped = await _llmpipe.RunAsync("run", "stop.jsonl");

        Assert.Equal(3, failed.ExitCode);
        foreach (var text in (string[])[failed.Error, failed.Out, stopped.Error, stopped.Out])
        {
            Assert.DoesNotContain(text, c => char.IsControl(c) && c != '\n' || c is '\u202E');
            Assert.DoesNotContain("\nllmpipe: all is well", text, StringComparison.Ordinal);
        }

        Assert.Contains("  HTTP 400 odd_0_title_code_x", failed.Error, StringComparison.Ordinal);
        Assert.DoesNotContain(new string('x', 65), failed.Error, StringComparison.Ordinal);
        using var line = JsonDocument.Parse(Assert.Single(_llmpipe.Lines("in.errors.jsonl")));
        Assert.Equal(said, line.RootElement.GetProperty("response").GetProperty("body").GetRawText());
        Assert.Equal("?[31mid", line.RootElement.GetProperty("response").GetProperty("request_id").GetString());
    }
}
