using System.Text.Json.Nodes;

namespace LlmPipeline;

/// <summary>Exit codes and standard output of the commands that scripts use, as the table of docs/operations.md has them.</summary>
public sealed class ScriptingCommands(FleetHouse house) : IClassFixture<FleetHouse>, IDisposable
{
    private const string Unknown = "b-0123456789abcdef0123456789abcdef";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private readonly FleetDesk _desk = new(house);

    public void Dispose() => _desk.Dispose();

    [Fact]
    public async Task Submit_prints_the_id_alone_and_nothing_when_it_does_not_end_with_0()
    {
        _desk.WriteRows("in.jsonl", 3);
        _desk.Llmpipe.Write("bad.jsonl", "{\"custom_id\":\n");

        var done = await _desk.RunAsync("submit", "in.jsonl");
        var json = await _desk.RunAsync("submit", "in.jsonl", "--json");
        var bad = await _desk.RunAsync("submit", "bad.jsonl");
        var away = await _desk.Llmpipe.RunAsync("submit", "in.jsonl", "--redis", "127.0.0.1:1");

        Assert.Equal((0, 0, 2, 1), (done.ExitCode, json.ExitCode, bad.ExitCode, away.ExitCode));
        Assert.Matches("^b-[0-9a-f]{32}\n$", done.Out);
        Assert.Equal(done.Out.TrimEnd(), (string)JsonNode.Parse(Line(json.Out))!["batch"]!);
        Assert.Equal(("", ""), (bad.Out, away.Out));
        Assert.All([bad.Error, away.Error], error => Assert.StartsWith("llmpipe: ", error));
    }

    [Fact]
    public async Task Results_prints_lines_alone_and_tells_by_its_code_what_is_missing()
    {
        await house.WorkAsync();
        await house.Results.WaitAsync(await house.Queue.EnqueueAsync(_desk.Model, "makes the queue"));
        await house.Queue.PauseAsync(_desk.Model);
        _desk.WriteRows("good.jsonl", 3);
        _desk.WriteRows("failing.jsonl", 3, fails: n => n == 2);
        var (good, failing) = (await _desk.SubmitAsync("good.jsonl"), await _desk.SubmitAsync("failing.jsonl"));

        var open = await _desk.RunAsync("results", good);
        var openFile = await _desk.RunAsync("results", good, "-o", "open.jsonl");
        await house.Queue.ResumeAsync(_desk.Model);
        var completed = await _desk.RunAsync("results", good, "--wait");
        var failed = await _desk.RunAsync("results", failing, "--wait");
        var file = await _desk.RunAsync("results", failing, "--wait", "-o", "out.jsonl");
        var report = await _desk.RunAsync("results", failing, "--wait", "-o", "out.jsonl", "--json");
        var unknown = await _desk.RunAsync("results", Unknown, "--wait");
        var usage = await _desk.RunAsync("results", good, "-o", "table.csv");

        Assert.Equal((1, 1, 0, 3), (open.ExitCode, openFile.ExitCode, completed.ExitCode, failed.ExitCode));
        Assert.Equal((3, 3, 1, 2), (file.ExitCode, report.ExitCode, unknown.ExitCode, usage.ExitCode));
        Assert.All([open, openFile, file, unknown, usage], one => Assert.Equal("", one.Out));
        Assert.All([completed, failed], one => Assert.Equal(3, one.Out.TrimEnd().Split('\n').Select(line => JsonNode.Parse(line)!["custom_id"]!).Count()));
        Assert.Equal((3, 2, 1), Counts(JsonNode.Parse(Line(report.Out))!));
        Assert.Equal((2, 1), (_desk.Llmpipe.Lines("out.jsonl").Length, _desk.Llmpipe.Lines("out.errors.jsonl").Length));
        Assert.All([open, openFile, completed, failed, file, report, unknown, usage], one => Assert.NotEqual("", one.Error));

        static (int Rows, int Completed, int Failed) Counts(JsonNode report) => ((int)report["rows"]!, (int)report["completed"]!, (int)report["failed"]!);
    }

    [Fact]
    public async Task Results_that_is_interrupted_while_it_waits_ends_with_130_and_status_with_0()
    {
        await house.Queue.EnqueueAsync(_desk.Model, "makes the queue");
        await house.Queue.PauseAsync(_desk.Model);
        _desk.WriteRows("in.jsonl", 1);
        var batch = await _desk.SubmitAsync("in.jsonl");
        await using var results = new WorkProcess(_desk.Start("results", batch, "--wait", "-o", "out.jsonl"));
        await using var status = new WorkProcess(_desk.Start("status", batch, "--watch"));
        await Eventually.HoldsAsync(() => Task.FromResult(_desk.Llmpipe.Exists("out.jsonl.partial") && status.Said.Length > 0), "both wait", Patience);

        results.Terminate();
        status.Terminate();

        Assert.Equal((130, 0), (await results.ExitedAsync(Patience), await status.ExitedAsync(Patience)));
    }

    [Fact]
    public async Task Status_prints_the_view_and_its_code_does_not_tell_whether_rows_failed()
    {
        await house.WorkAsync();
        _desk.WriteRows("in.jsonl", 2, fails: n => n == 2);
        var batch = await _desk.SubmitAsync("in.jsonl");
        await _desk.OutAsync(3, "results", batch, "--wait");

        var one = await _desk.RunAsync("status", batch, "--json");
        var all = await _desk.RunAsync("status", "--json");
        var text = await _desk.RunAsync("status", batch);
        var unknown = await _desk.RunAsync("status", Unknown);
        var usage = await _desk.RunAsync("status", batch, "surplus");

        Assert.Equal((0, 0, 0, 1, 2), (one.ExitCode, all.ExitCode, text.ExitCode, unknown.ExitCode, usage.ExitCode));
        Assert.Equal(("ended", 1), ((string)JsonNode.Parse(Line(one.Out))!["state"]!, (int)JsonNode.Parse(Line(one.Out))!["failed"]!));
        Assert.Contains(JsonNode.Parse(Line(all.Out))!["batches"]!.AsArray(), each => (string)each!["batch"]! == batch);
        Assert.StartsWith($"batch      {batch}, ended\n", text.Out);
        Assert.Equal(("", "", ""), (one.Error, all.Error, text.Error));
        Assert.Equal(("", ""), (unknown.Out, usage.Out));
        Assert.All([unknown.Error, usage.Error], error => Assert.StartsWith("llmpipe: ", error));
    }

    private static string Line(string text)
    {
        Assert.Equal(text.Length - 1, text.IndexOf('\n'));
        return text;
    }
}
