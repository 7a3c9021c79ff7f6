using System.Text.Json;
using Microsoft.Extensions.Logging;

namespace LlmPipeline;

public sealed class ReadingTheLog : IDisposable
{
    private readonly Llmpipe _llmpipe = new();

    public void Dispose() => _llmpipe.Dispose();

    [Fact]
    public async Task The_first_line_of_a_run_names_the_settings_file_and_the_endpoints_but_no_key()
    {
        await using var endpoint = await LlmSimulator.StartAsync(new SimulatorOptions { CountTokens = false });
        _llmpipe.Write("own.json", Rows.Json(new { Deployments = new[] { new { Name = "one", Endpoint = endpoint.BaseUrl.ToString(), ApiKey = "sk-secret" } } }));
        _llmpipe.Write("in.jsonl", Rows.BatchLines(3));

        var (exitCode, _, error) = await _llmpipe.RunAsync("run", "in.jsonl", "--config", "own.json");

        Assert.True(exitCode == 0, error);
        Assert.StartsWith($"settings {_llmpipe.PathOf("own.json")}, endpoints one {endpoint.BaseUrl.ToString().TrimEnd('/')}", error, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_run_without_an_endpoint_says_first_that_the_simulator_answers()
    {
        _llmpipe.Write("in.jsonl", Rows.BatchLines(3));
        var (exitCode, _, error) = await _llmpipe.RunAsync("run", "in.jsonl");
        Assert.True(exitCode == 0, error);
        Assert.StartsWith("no settings file, endpoint: the simulator in this process\n", error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("in.jsonl", 0)]
    [InlineData("missing.jsonl", 2)]
    public async Task All_that_a_run_says_is_JSON_where_that_is_asked_for(string input, int expected)
    {
        _llmpipe.Write("in.jsonl", Rows.BatchLines(3));
        var (exitCode, _, error) = await _llmpipe.RunAsync("run", input, "--log-format", "json");

        Assert.True(exitCode == expected, error);
        var lines = error.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonDocument.Parse(line).RootElement).ToList();
        Assert.NotEmpty(lines);
        Assert.All(lines, line => Assert.True(line.GetProperty("time").TryGetDateTimeOffset(out _)));
        Assert.Equal(expected == 0 ? "info" : "error", lines[^1].GetProperty("level").GetString());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void What_a_provider_wrote_forges_no_line_and_moves_no_cursor(bool json)
    {
        var line = LogLine.Of(
            json ? LogFormat.Json : LogFormat.Text, DateTimeOffset.UnixEpoch, LogLevel.Warning, "said \u001b[2J\r\n1970-01-01T00:00:00.000Z error: forged\u202e", "Own", "E: \u0007bad\n");
        Assert.DoesNotContain(line, c => char.IsControl(c) || c == '\u202e');
        if (!json)
            Assert.StartsWith("1970-01-01T00:00:00.000Z warn: said ", line, StringComparison.Ordinal);
        else
            Assert.Equal("warn", JsonDocument.Parse(line).RootElement.GetProperty("level").GetString());
    }
}
