using System.Net;
using System.Net.Sockets;
using System.Text;

namespace LlmPipeline;

public sealed class WrongThings : IDisposable
{
    private readonly Llmpipe _llmpipe = new();

    public void Dispose() => _llmpipe.Dispose();

    [Theory]
    [InlineData("a missing file", "run missing.jsonl", "missing.jsonl", 2)]
    [InlineData("a directory", "run folder", "folder", 2)]
    [InlineData("an empty file", "run empty.jsonl", "empty", 2)]
    [InlineData("a Latin-1 file", "run latin1.txt", "latin1.txt:2: not UTF-8", 2)]
    [InlineData("a 50 MB line", "run long.jsonl", "long.jsonl:2: ", 2)]
    [InlineData("broken JSON in line 2", "run broken.jsonl", "broken.jsonl:2: ", 2)]
    [InlineData("a repeated custom_id", "run twice.jsonl", "twice.jsonl:2: custom_id", 2)]
    [InlineData("an unknown url", "run url.jsonl", "url.jsonl:1: url", 2)]
    [InlineData("a missing variable", "run rows.jsonl --prompt solve-math", "rows.jsonl:1: question", 2)]
    [InlineData("an unknown prompt function", "run rows.jsonl --prompt no-such", "no-such", 2)]
    [InlineData("an unknown option", "run good.jsonl --colour red", "--colour", 2)]
    [InlineData("a negative number", "run good.jsonl --concurrency -3", "--concurrency -3", 2)]
    [InlineData("no number", "run good.jsonl --rpm many", "--rpm many", 2)]
    [InlineData("a command that is none", "runn good.jsonl", "runn", 2)]
    [InlineData("a setting without value", "run notes.txt --set temperature", "--set temperature", 2)]
    [InlineData("an answer that is a sheet", "run good.jsonl -o good.xlsx", "good.xlsx: .xlsx cannot be written", 2)]
    [InlineData("a template in double quotes", "run rows.jsonl --template Review:", "--template names no column", 2)]
    [InlineData("an output below a file", "run good.jsonl -o good.jsonl/out.jsonl", "good.jsonl", 2)]
    [InlineData("an output on a device", "run good.jsonl -o /dev/full", "/dev/full", 2)]
    [InlineData("the input as output", "run good.jsonl -o good.jsonl", "good.jsonl", 2)]
    [InlineData("no Redis address", "run good.jsonl --redis redis://", "--redis", 2)]
    [InlineData("a settings file that is missing", "run good.jsonl --config nowhere.json", "nowhere.json", 2)]
    [InlineData("a setting that is none", "run good.jsonl --config settings.json", "Colour", 2)]
    [InlineData("broken settings", "run good.jsonl --config broken.json", "broken.json:2", 2)]
    public async Task It_says_what_and_where_and_leaves_nothing_behind(string what, string command, string said, int exitCode)
    {
        await using var endpoint = await LlmSimulator.StartAsync(new SimulatorOptions { CountTokens = false });
        _llmpipe.Environment["OPENAI_BASE_URL"] = endpoint.BaseUrl.ToString();
        Prepare();
        var before = Directory.GetFileSystemEntries(_llmpipe.Folder).Order().ToList();

        var result = await _llmpipe.RunAsync(command.Split(' '));

        Assert.True(result.ExitCode == exitCode, $"{what}: exit {result.ExitCode}: {result.Error}");
        Assert.Contains(said, result.Error);
        Assert.InRange(result.Error.TrimEnd().Split('\n').Length, 1, 3);
        Assert.DoesNotContain("   at ", result.Error);
        Assert.DoesNotContain("Exception", result.Error);
        Assert.Empty(result.Out);
        Assert.Equal(before, Directory.GetFileSystemEntries(_llmpipe.Folder).Order());
        Assert.Equal(0, endpoint.Stats.Calls);
    }

    [Fact]
    public async Task A_closed_port_for_Redis_is_said_and_nothing_is_written()
    {
        using var closed = new TcpListener(IPAddress.Loopback, 0);
        closed.Start();
        var port = ((IPEndPoint)closed.LocalEndpoint).Port;
        closed.Stop();
        _llmpipe.Write("good.jsonl", Rows.BatchLines(3));
        _llmpipe.Environment["OPENAI_BASE_URL"] = "http://127.0.0.1:1/v1";

        var (exitCode, _, error) = await _llmpipe.RunAsync("run", "good.jsonl", "--redis", $"127.0.0.1:{port}");

        Assert.Equal(1, exitCode);
        Assert.Contains($"Redis at 127.0.0.1:{port} cannot be reached", error);
        Assert.Equal(["good.jsonl"], Directory.GetFiles(_llmpipe.Folder).Select(Path.GetFileName));
    }

    [Fact]
    public async Task An_output_that_another_run_holds_is_left_alone()
    {
        await using var endpoint = await LlmSimulator.StartAsync(new SimulatorOptions { Latency = TimeSpan.FromMinutes(5), CountTokens = false });
        _llmpipe.Environment["OPENAI_BASE_URL"] = endpoint.BaseUrl.ToString();
        _llmpipe.Write("good.jsonl", Rows.BatchLines(3));
        using var holder = _llmpipe.Start("run", "good.jsonl");
        await Eventually.HoldsAsync(() => Task.FromResult(endpoint.Stats.InFlight == 3), "the first run is at work");

        var (exitCode, _, error) = await _llmpipe.RunAsync("run", "good.jsonl");
        holder.Kill();
        await holder.WaitForExitAsync();

        Assert.Equal(2, exitCode);
        Assert.Contains("another run", error);
        Assert.Equal(3, endpoint.Stats.Calls);
    }

    private void Prepare()
    {
        Directory.CreateDirectory(_llmpipe.PathOf("folder"));
        _llmpipe.Write("empty.jsonl", "");
        File.WriteAllBytes(_llmpipe.PathOf("latin1.txt"), Encoding.Latin1.GetBytes("plain\ncafé\n"));
        var good = Rows.BatchLines(2).ToArray();
        _llmpipe.Write("good.jsonl", good);
        _llmpipe.Write("long.jsonl", [good[0], good[1].Replace("What is", new string('x', 50_000_000))]);
        _llmpipe.Write("broken.jsonl", [good[0], good[1][..^3]]);
        _llmpipe.Write("twice.jsonl", [good[0], good[0]]);
        _llmpipe.Write("url.jsonl", [good[0].Replace("/v1/chat/completions", "/images")]);
        _llmpipe.Write("rows.jsonl", ["{\"text\":\"no question\"}"]);
        _llmpipe.Write("notes.txt", ["Hello"]);
        _llmpipe.Write("settings.json", "{\"Colour\":\"red\"}");
        _llmpipe.Write("broken.json", "{\n\"Model\": }");
    }
}
