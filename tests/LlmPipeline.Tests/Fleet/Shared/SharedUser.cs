using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;
using LlmPipeline.Tests;

namespace LlmPipeline;

/// <summary>
/// Somebody who shares a Redis with others: with an endpoint of his own, which says in each answer whose it is and what it was asked, and
/// which notes whose prompts it gets.
/// </summary>
internal sealed class SharedUser : IAsyncDisposable
{
    /// <summary>The model of all of them.</summary>
    public const string Model = "shared";

    private static readonly TimeSpan Latency = TimeSpan.FromMilliseconds(150);

    private readonly HashSet<string> _askers = [];
    private readonly RawEndpoint _endpoint;
    private readonly Random _random;
    private int _calls;
    private int _files;

    public SharedUser(string name, string redis, int seed)
    {
        Name = name;
        _random = new Random(seed);
        _endpoint = new RawEndpoint(Answer);
        Desk = new FleetDesk(redis);
        Desk.Llmpipe.Environment["OPENAI_BASE_URL"] = _endpoint.Url + "/v1";
        Desk.Llmpipe.Environment["OPENAI_API_KEY"] = $"sk-{name}-0123456789";
        Desk.Llmpipe.Environment[$"LLMPIPE__Prices__{Model}__Input"] = "1";
        Desk.Llmpipe.Environment[$"LLMPIPE__Prices__{Model}__Output"] = "7";
    }

    public string Name { get; }

    public FleetDesk Desk { get; }

    /// <summary>Whose prompts the endpoint has got.</summary>
    public IReadOnlyCollection<string> Askers
    {
        get
        {
            lock (_askers)
                return [.. _askers];
        }
    }

    public int Calls => Volatile.Read(ref _calls);

    /// <summary>The processes that were killed.</summary>
    public int Kills { get; private set; }

    /// <summary>The rows whose answers were checked.</summary>
    public int Checked { get; private set; }

    /// <summary>Writes a file of prompts that are no other's.</summary>
    public (string Path, int Rows) WriteFile()
    {
        var (file, rows) = (++_files, _random.Next(40, 250));
        var path = $"in-{file}.jsonl";
        Desk.Llmpipe.Write(path, Lines(file, rows));
        return (path, rows);
    }

    /// <summary>Lines of a batch.</summary>
    public string[] Lines(int file, int rows) => [.. Enumerable.Range(1, rows).Select(row => Rows.Json(new
    {
        custom_id = $"r{row}",
        method = "POST",
        url = "/v1/chat/completions",
        body = new { model = Model, messages = new[] { new { role = "user", content = Prompt(file, $"r{row}") } } },
    }))];

    /// <summary>A prompt, which begins with the name of who asks.</summary>
    public string Prompt(int file, string row) => $"{Name} {file} {row}";

    /// <summary>What an endpoint of <paramref name="of"/> answers.</summary>
    public static string AnswerOf(string of, string prompt) => $"{of} heard {prompt}";

    /// <summary>Runs a command; sometimes it is killed, and runs again until it ends by itself.</summary>
    public async Task<string> RunUntilDoneAsync(params string[] arguments)
    {
        while (true)
        {
            using var process = Desk.Start(arguments);
            var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
            if (_random.Next(3) == 0)
            {
                // In the middle of its calls; what calls nothing itself, at any time.
                var calls = Calls + _random.Next(1, 60);
                var latest = TimeSpan.FromMilliseconds(_random.Next(2000, 15_000));
                for (var started = Stopwatch.StartNew(); !process.HasExited && Calls < calls && started.Elapsed < latest;)
                    await Task.WhenAny(process.WaitForExitAsync(), Task.Delay(20));
                if (!process.HasExited)
                {
                    process.Kill();
                    Kills++;
                    await process.WaitForExitAsync();
                    continue;
                }
            }

            await process.WaitForExitAsync();
            // A run that was killed holds its batch until its lock has run out: others wait for that, too.
            if (process.ExitCode == ExitCodes.Usage && (await error).Contains("a second run of it", StringComparison.Ordinal))
                continue;
            Assert.True(process.ExitCode == 0, $"{Name}: llmpipe {string.Join(' ', arguments)}: {process.ExitCode}: {await error}");
            return await output;
        }
    }

    /// <summary>Each line of an output answers its own row, and comes from the right endpoint.</summary>
    public void Check(string output, int file, int rows, string from) => Check(Desk.Llmpipe.Lines(output).Select(line => JsonNode.Parse(line)!), file, rows, from);

    /// <inheritdoc cref="Check(string, int, int, string)"/>
    public void Check(IEnumerable<JsonNode> lines, int file, int rows, string from)
    {
        var answers = lines.ToDictionary(line => (string)line["custom_id"]!, line => (string)line["response"]!["body"]!["choices"]![0]!["message"]!["content"]!);
        Assert.Equal(rows, answers.Count);
        Assert.All(answers, answer => Assert.Equal(AnswerOf(from, Prompt(file, answer.Key)), answer.Value));
        Checked += rows;
    }

    public async ValueTask DisposeAsync()
    {
        await _endpoint.DisposeAsync();
        Desk.Dispose();
    }

    private RawReply Answer(RawRequest request, int number)
    {
        if (request.Body.Length == 0)
            return new RawReply(200, $$"""{"object":"list","data":[{"id":"{{Model}}","object":"model"}]}""");
        Interlocked.Increment(ref _calls);
        using var body = JsonDocument.Parse(request.Body);
        var prompt = body.RootElement.GetProperty("messages")[0].GetProperty("content").GetString()!;
        lock (_askers)
            _askers.Add(prompt.Split(' ')[0]);
        var answer = Rows.Json(new
        {
            id = $"chatcmpl-{number}",
            @object = "chat.completion",
            created = 1,
            model = Model,
            choices = new[] { new { index = 0, message = new { role = "assistant", content = AnswerOf(Name, prompt) }, finish_reason = "stop" } },
            usage = new { prompt_tokens = 5 + (number % 11), completion_tokens = 1 + (number % 7), total_tokens = 6 + (number % 11) + (number % 7) },
        });
        return new RawReply(200, answer) { Latency = Latency };
    }
}
