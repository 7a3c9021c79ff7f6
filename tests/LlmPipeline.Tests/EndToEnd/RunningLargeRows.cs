using System.Text;
using System.Text.Json.Nodes;

namespace LlmPipeline;

/// <summary>Rows with pictures: the setting MaxJobBytes.</summary>
public sealed class RunningLargeRows : IDisposable
{
    private readonly Llmpipe _llmpipe = new();

    public void Dispose() => _llmpipe.Dispose();

    [Fact]
    public async Task Rows_of_16_megabytes_are_answered_byte_for_byte_on_the_store_in_the_process()
    {
        const int Count = 6;
        await using var endpoint = await LlmSimulator.StartAsync(new SimulatorOptions { CountTokens = false });
        _llmpipe.Environment["OPENAI_BASE_URL"] = endpoint.BaseUrl.ToString();
        WriteRows(Count, 16_000_000);

        var (exitCode, _, error) = await _llmpipe.RunAsync("run", "in.jsonl");

        Assert.True(exitCode == 0, error);
        Assert.Equal(Rows.LineNames(Count), Rows.CustomIds(_llmpipe.Lines("in.results.jsonl")));
        Assert.Equal(Count, endpoint.Stats.Calls);
    }

    [Fact]
    public async Task A_row_that_is_larger_than_the_setting_is_reported_before_anything_is_sent()
    {
        await using var endpoint = await LlmSimulator.StartAsync(new SimulatorOptions { CountTokens = false });
        _llmpipe.Environment["OPENAI_BASE_URL"] = endpoint.BaseUrl.ToString();
        _llmpipe.Environment["LLMPIPE__MaxJobBytes"] = "1000000";
        WriteRows(2, 990_000);

        var (exitCode, _, error) = await _llmpipe.RunAsync("run", "in.jsonl");

        Assert.Equal(2, exitCode);
        Assert.Contains($"longer than {InputOptions.MaxRowBytesOf(1_000_000)} bytes", error);
        Assert.Equal(0, endpoint.Stats.Calls);
    }

    [Theory]
    [InlineData("1023")]
    [InlineData("268435457")]
    public async Task A_setting_that_is_out_of_range_is_reported_by_its_name(string bytes)
    {
        _llmpipe.Environment["LLMPIPE__MaxJobBytes"] = bytes;
        _llmpipe.Write("in.txt", "hello");

        var (exitCode, _, error) = await _llmpipe.RunAsync("run", "in.txt");

        Assert.Equal(2, exitCode);
        Assert.Contains($"MaxJobBytes: {bytes} is not from 1024 to 268435456", error);
    }

    [Fact]
    public async Task An_answer_that_Redis_refuses_goes_to_the_results_file_all_the_same()
    {
        await using var server = await RedisServer.StartAsync("--proto-max-bulk-len", "1100000");
        await using var endpoint = await LlmSimulator.StartAsync(new SimulatorOptions { CountTokens = false, AnswerWords = 600_000 });
        _llmpipe.Environment["OPENAI_BASE_URL"] = endpoint.BaseUrl.ToString();
        _llmpipe.Write("in.jsonl", Rows.BatchLines(3));

        var (exitCode, _, error) = await _llmpipe.RunAsync("run", "in.jsonl", "--redis", server.Address);

        Assert.True(exitCode == 0, error);
        Assert.Equal(3, endpoint.Stats.Calls);
        Assert.All(
            _llmpipe.Lines("in.results.jsonl"),
            line => Assert.True(line.Length > 1_100_000 && (int)JsonNode.Parse(line)!["response"]!["status_code"]! == 200));
    }

    private void WriteRows(int count, int bytes)
    {
        using var file = new StreamWriter(_llmpipe.PathOf("in.jsonl"), append: false, new UTF8Encoding(false));
        for (var n = 1; n <= count; n++)
        {
            file.Write(
                """{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/jpeg;base64,""");
            file.Write(new string((char)('A' + n), bytes - 200));
            file.WriteLine("\"}}]}]}");
        }
    }
}
