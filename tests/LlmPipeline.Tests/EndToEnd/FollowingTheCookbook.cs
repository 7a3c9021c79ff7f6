using System.Text.RegularExpressions;

namespace LlmPipeline;

/// <summary>The tasks of docs/cookbook.md, whose commands are run as they stand there.</summary>
[Trait("Category", "Slow")]
public sealed partial class FollowingTheCookbook : IDisposable
{
    private const string Document = "docs/cookbook.md";
    private readonly Llmpipe _llmpipe = new();

    /// <summary>The headings of the tasks, each with the file that it ends with and the lines of that.</summary>
    public static TheoryData<string, string, int> Tasks => new()
    {
        { "Classify a CSV", "labels.csv", 4 },
        { "Extract to columns", "extracted.csv", 3 },
        { "Embed a corpus", "corpus-vectors.jsonl", 3 },
        { "Compare two models", "gpt-4o.jsonl", 2 },
        { "Translate a JSONL", "letters-translated.jsonl", 2 },
        { "Summarize a folder", "summaries.results.jsonl", 2 },
        { "Evaluate with a judge", "verdicts.results.jsonl", 2 },
        { "Resume after a crash", "numbers.jsonl", 200 },
        { "Stay under a budget", "topics.jsonl", 100 },
        { "Run on vLLM or Ollama", "local.jsonl", 2 },
    };

    public void Dispose() => _llmpipe.Dispose();

    [Fact]
    public void Every_task_is_run()
    {
        var headings = Headings().Matches(Repository.Read(Document)).Select(match => match.Groups[1].Value);

        Assert.Equal(Tasks.Select(task => (string)task[0]), headings);
    }

    [Theory]
    [MemberData(nameof(Tasks))]
    public async Task Its_commands_do_what_they_say(string task, string file, int lines)
    {
        await using var endpoint = await LlmSimulator.StartAsync(new SimulatorOptions { Latency = TimeSpan.FromMilliseconds(30) });
        var environment = new Dictionary<string, string?>
        {
            ["PATH"] = _llmpipe.AsCommand(),
            ["OPENAI_BASE_URL"] = endpoint.BaseUrl.ToString(),
            ["LOCAL_LLM"] = endpoint.BaseUrl.ToString(),
        };

        var ended = await Shell.RunAsync("bash", ["-euo", "pipefail", "-c", Commands(task)], _llmpipe.Folder, environment, TimeSpan.FromMinutes(3));

        Assert.True(ended.ExitCode == 0, ended.Error);
        Assert.Equal(lines, _llmpipe.Lines(file).Length);
        Assert.DoesNotContain("null", task == "Extract to columns" ? "" : _llmpipe.Lines(file)[^1].Replace("\"error\":null", "").Replace("\"refusal\":null", "").Replace("\"logprobs\":null", ""));
        Assert.DoesNotContain(Directory.GetFiles(_llmpipe.Folder).Select(Path.GetFileName), name => name!.EndsWith(".partial", StringComparison.Ordinal));
        if (task == "Stay under a budget")
            Assert.Contains("exit code 3: the budget is reached", ended.Output);
    }

    private static string Commands(string task)
    {
        var section = Repository.Read(Document).Split($"\n## {task}\n")[1].Split("\n## ")[0];
        return string.Join('\n', Blocks().Matches(section).Select(match => match.Groups[1].Value));
    }

    [GeneratedRegex(@"^## (.+)$", RegexOptions.Multiline)]
    private static partial Regex Headings();

    [GeneratedRegex(@"^```sh\n(.*?)^```$", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Blocks();
}
