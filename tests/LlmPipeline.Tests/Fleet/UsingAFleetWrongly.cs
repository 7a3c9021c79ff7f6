using System.Net;
using System.Net.Sockets;

namespace LlmPipeline;

public sealed class UsingAFleetWrongly : IDisposable
{
    private const string Secret = "s3cr3t-word";
    private readonly Llmpipe _llmpipe = new();

    public static TheoryData<string> Commands =>
        ["submit good.jsonl", "work", "status", "status B", "results B", "results B --wait -o out.jsonl", "result B.1", "cancel B", "retry B", "dead list", "dead show B.1", "dead redrive B.1", "dead purge --all", "queues list", "queues pause Q", "doctor"];

    public void Dispose() => _llmpipe.Dispose();

    [Theory]
    [MemberData(nameof(Commands))]
    public async Task A_Redis_that_does_not_answer_is_said_and_its_password_is_not(string command)
    {
        _llmpipe.Write("good.jsonl", Rows.BatchLines(2));
        _llmpipe.Environment["OPENAI_BASE_URL"] = "http://127.0.0.1:1/v1";
        using var closed = new TcpListener(IPAddress.Loopback, 0);
        closed.Start();
        var port = ((IPEndPoint)closed.LocalEndpoint).Port;
        closed.Stop();

        var (exitCode, text, error) = await _llmpipe.RunAsync([.. command.Split(' '), "--redis", $"redis://user:{Secret}@127.0.0.1:{port}/0"]);

        Check(1, exitCode, text, error);
        // A worker names its settings first.
        var lines = error.TrimEnd().Split('\n');
        Assert.Equal($"llmpipe: Redis at 127.0.0.1:{port} cannot be reached: no answer", lines[^1]);
        Assert.Equal(command == "work" ? 2 : 1, lines.Length);
        Assert.Equal(["good.jsonl"], Directory.GetFiles(_llmpipe.Folder).Select(Path.GetFileName));
    }

    [Fact]
    public async Task A_Redis_that_wants_another_password_is_said()
    {
        await using var server = await RedisServer.StartAsync("--requirepass", "other");

        foreach (var address in (string[])[$"redis://:{Secret}@{server.Address}", $"{server.Address},password={Secret}"])
        {
            var (exitCode, text, error) = await _llmpipe.RunAsync("status", "--redis", address);

            Check(1, exitCode, text, error);
            Assert.Contains("it refuses the user or the password", error);
        }
    }

    [Theory]
    [InlineData("status --redis redis://", "--redis: a Redis URL looks like")]
    [InlineData("status --redis http://user:s3cr3t-word@host", "--redis: a Redis URL looks like")]
    [InlineData("status --redis user:s3cr3t-word@host", "--redis: no Redis is named")]
    [InlineData("status --redis host,password=a,s3cr3t-word=b", "--redis: not a Redis address")]
    [InlineData("work --redis redis://u:s3cr3t-word@h/db", "--redis: the database of a Redis URL is a number")]
    [InlineData("work --concurrency 0", "--concurrency 0")]
    [InlineData("work surplus", "one argument too many: surplus")]
    [InlineData("submit", "INPUT is missing")]
    [InlineData("submit missing.jsonl", "missing.jsonl")]
    [InlineData("submit good.jsonl --partitions 0", "--partitions 0")]
    [InlineData("submit good.jsonl --deadline -1", "--deadline -1")]
    [InlineData("submit good.jsonl --lane slow", "--lane slow: high, normal or low is needed")]
    [InlineData("submit good.jsonl --prompt no-such", "no-such")]
    [InlineData("submit good.jsonl --retry-fialed", "unknown option --retry-fialed; did you mean --retry-failed?")]
    [InlineData("status --wach", "unknown option --wach; did you mean --watch?")]
    [InlineData("status {x}", "it is no id")]
    [InlineData("results", "BATCH is missing")]
    [InlineData("results B -o x.csv", "a table needs --input FILE")]
    [InlineData("results B --input good.jsonl", "--input is for a table")]
    [InlineData("results B --prompt p", "--prompt goes with --input")]
    [InlineData("run good.jsonl --fleet --budget 1", "--budget does not go with --fleet")]
    [InlineData("run good.jsonl --fleet --concurrency 4", "--concurrency does not go with --fleet")]
    [InlineData("result", "JOB is missing")]
    [InlineData("result {x}", "it is no id")]
    [InlineData("cancel", "BATCH|JOB is missing")]
    [InlineData("cancel A B", "one argument too many: B")]
    [InlineData("retry", "BATCH is missing")]
    [InlineData("dead list --limit 0", "--limit 0")]
    [InlineData("dead show", "JOB is missing")]
    [InlineData("dead redrive", "name jobs, or say --all")]
    [InlineData("dead redrive J --all", "name jobs or say --all, not both")]
    [InlineData("dead purge", "name jobs, or say --all or --older-than DAYS")]
    [InlineData("dead purge --older-than soon", "--older-than soon")]
    [InlineData("dead bury", "unknown command bury; there are list, show, redrive, purge")]
    [InlineData("queues pause", "QUEUE is missing")]
    [InlineData("queues stop", "unknown command stop; there are list, pause, resume")]
    [InlineData("doctor --mend", "unknown option --mend")]
    [InlineData("doctor --config nowhere.json", "nowhere.json")]
    public async Task A_wrong_word_is_named(string command, string said)
    {
        _llmpipe.Write("good.jsonl", Rows.BatchLines(2));
        _llmpipe.Environment["OPENAI_BASE_URL"] = "http://127.0.0.1:1/v1";
        // What it must find before it asks a Redis; where ids are judged, one has to be there.
        var redis = command.Contains("{x}") ? ["--redis", (await RedisServer.SharedAsync()).Address] : command.Contains("--redis") ? Array.Empty<string>() : ["--redis", "127.0.0.1:1"];

        var (exitCode, text, error) = await _llmpipe.RunAsync([.. command.Split(' '), .. redis]);

        Check(2, exitCode, text, error);
        Assert.Contains(said, error);
        Assert.InRange(error.TrimEnd().Split('\n').Length, 1, 3);
    }

    [Theory]
    [InlineData("dead", "list", "show", "redrive", "purge")]
    [InlineData("queues", "list", "pause", "resume")]
    public async Task A_group_alone_tells_its_commands(string group, params string[] commands)
    {
        var (exitCode, text, error) = await _llmpipe.RunAsync(group);

        Assert.Equal((2, ""), (exitCode, text));
        Assert.All(commands, command => Assert.Matches($@"(?m)^  {command}\b", error));
        var help = await _llmpipe.RunAsync(group, "--help");
        Assert.Equal((0, error), (help.ExitCode, help.Out));
    }

    [Fact]
    public async Task A_worker_without_an_endpoint_has_nothing_to_do()
    {
        var (exitCode, text, error) = await _llmpipe.RunAsync("work", "--redis", "127.0.0.1:1");

        Check(2, exitCode, text, error);
        Assert.Contains("a worker needs an endpoint", error);
    }

    private static void Check(int expected, int exitCode, string text, string error)
    {
        Assert.True(expected == exitCode, $"exit code {exitCode}: {error}");
        Assert.Empty(text);
        Assert.DoesNotContain(Secret, error);
        Assert.DoesNotContain("   at ", error);
        Assert.DoesNotContain("Exception", error);
    }
}
