using System.Collections.Concurrent;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging.Abstractions;

namespace LlmPipeline.Tests;

/// <summary>
/// A worker before an endpoint that plays each row of the dialect table (docs/providers.md): what its rows come to is what the table says,
/// and with an empty table nothing is lost, no error is a completion and no row stops another.
/// </summary>
[Trait("Category", "Slow")]
public sealed class MeetingDialects
{
    private const int Jobs = 6;
    private const int AtOnce = 12;

    // A row that the table has to name for its first call; general rules come to the same with more calls, or blame the row.
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(90);

    [Fact]
    public Task With_the_table_every_row_comes_to_what_it_says() => PlayAllAsync(DialectTable.Default);

    [Fact]
    public Task With_an_empty_table_every_row_is_safe() => PlayAllAsync(DialectTable.Empty);

    private static async Task PlayAllAsync(DialectTable table)
    {
        var only = Environment.GetEnvironmentVariable("TESTS_DIALECT");
        var faults = new ConcurrentBag<string>();
        await Parallel.ForEachAsync(
            DialectTable.Default.Rows.Where(
                row => !row.Expect.Slow && (only is null || row.Name.StartsWith(only, StringComparison.Ordinal))),
            new ParallelOptions { MaxDegreeOfParallelism = AtOnce },
            async (row, _) =>
            {
                try
                {
                    await PlayAsync(row, table);
                }
                catch (Exception e)
                {
                    faults.Add($"{row.Name}: {string.Join(' ', e.Message.Split('\n', StringSplitOptions.TrimEntries))}");
                }
            });
        Assert.True(faults.IsEmpty, $"{faults.Count} rows:\n{string.Join('\n', faults.Order())}");
    }

    private static async Task PlayAsync(Dialect row, DialectTable table)
    {
        await using var simulator = await LlmSimulator.StartAsync(
            new SimulatorOptions { Dialects = [new SimulatorDialect(row.Name)], CountTokens = false });
        var queue = await TestQueue.CreateAsync(Store.RedisServer);
        var results = new ResultStore(queue.Redis, new ResultStoreOptions(), TimeProvider.System);
        await using var caller = Caller(simulator, row, table);
        await using var worker = new WorkerProcess(
            queue.Redis,
            queue.Queue,
            results,
            caller,
            new WorkerOptions { Concurrency = Jobs },
            TimeProvider.System,
            NullLoggerFactory.Instance);
        var jobs = Enumerable.Range(1, Jobs).Select(n => Job(queue, row, n)).ToArray();
        await queue.SaveBatchAsync();
        await queue.EnqueueAsync(jobs);
        await worker.StartAsync([queue.Name]);

        var path = ((RequestWork)jobs[0].Work).Path;
        IReadOnlyList<JobResult?> ended = [];
        Blockage? blockage = null;
        await Eventually.HoldsAsync(
            async () =>
            {
                ended = await results.GetAsync([.. jobs.Select(job => job.Id)]);
                blockage = caller.BlockageOf(queue.Name, path, queue.Batch);
                return ended.All(result => result is not null) || blockage is { IsConfirmed: true };
            },
            $"its rows end ({string.Join(' ', ended.Select(result => result?.Status.ToString() ?? "-"))}, {blockage?.Reason}, "
                + $"{caller.Snapshot()[0].LastFailure})",
            Longest);
        await worker.StopAsync(new CancellationToken(true));
        Check(row, table == DialectTable.Empty, ended, blockage);
    }

    private static void Check(Dialect row, bool isBlind, IReadOnlyList<JobResult?> ended, Blockage? blockage)
    {
        if (row.Expect.Exit == 1)
        {
            Assert.DoesNotContain(ended, result => result is not null);
            Assert.NotNull(blockage);
            if (row.Expect.Says is { } told && !isBlind)
                Assert.Contains(told, blockage.Reason, StringComparison.Ordinal);
            return;
        }

        for (var n = 0; n < Jobs; n++)
        {
            var result = ended[n];
            Assert.NotNull(result);
            var body = Encoding.UTF8.GetString(result.Response.Span);
            if (row.Expect.Exit == 3 && (row.Expect.Failed == FailedRows.All || IsMarked(n + 1)))
            {
                Assert.Equal(ResultStatus.Failed, result.Status);
                if (row.Expect.Says is { } told)
                    Assert.Contains(told, body, StringComparison.Ordinal);
                continue;
            }

            Assert.True(result.Status == ResultStatus.Completed, $"row {n + 1} is {result.Status}: {result.Meta.Error} {body}");
            if (row.Expect.Text is { } text)
                Assert.True(
                    body.Contains(text, StringComparison.Ordinal) || body.Contains(Escaped(text), StringComparison.OrdinalIgnoreCase),
                    body);
            Assert.Equal(row.Lenient, result.Meta.Lenient);
            Assert.Equal(row.Expect.Estimated, result.Meta.UsageEstimated);
            if (row.Tokens is { } tokens && !row.Expect.Estimated)
                Assert.Equal((tokens.Input, tokens.Output), (result.Meta.InputTokens, result.Meta.OutputTokens));
        }
    }

    private static LlmCaller Caller(LlmSimulator simulator, Dialect row, DialectTable table)
    {
        var options = new LlmOptions
        {
            RetryBase = TimeSpan.FromMilliseconds(20),
            LongestRetry = TimeSpan.FromMilliseconds(200),
            MaxRetryAfter = TimeSpan.FromSeconds(3),
            AttemptTimeout = TimeSpan.FromSeconds(20),
            EstimateUsage = row.Expect.Estimated,
            Dialects = table,
        };
        options.Deployments.Add(new DeploymentOptions
        {
            Name = "one",
            Endpoint = simulator.BaseUrl.ToString().TrimEnd('/'),
            ApiKey = "sk-of-the-tests-0123456789",
            Price = new TokenPrice { Input = 1, Output = 1 },
        });
        return new LlmCaller(options, (_, _) => throw new NotSupportedException(), TimeProvider.System, NullLoggerFactory.Instance);
    }

    private static bool IsMarked(int row) => row == 3;

    // As it is written in JSON of ASCII.
    private static string Escaped(string text) => System.Text.Json.JsonSerializer.Serialize(text)[1..^1];

    private static Job Job(TestQueue queue, Dialect row, int n)
    {
        var text = $"question {n}{(IsMarked(n) ? " POISON" : "")}";
        var body = new JsonObject { ["model"] = queue.Name };
        if (row.Streamed == true)
            body["stream"] = true;
        var path = row.Route switch
        {
            "embeddings" => "/v1/embeddings",
            "completions" => "/v1/completions",
            "responses" => "/v1/responses",
            _ => "/v1/chat/completions",
        };
        if (path == "/v1/chat/completions")
            body["messages"] = new JsonArray(new JsonObject { ["role"] = "user", ["content"] = text });
        else
            body[path == "/v1/completions" ? "prompt" : "input"] = text;
        return queue.Row(n) with { Work = new RequestWork { Path = path, Body = Encoding.UTF8.GetBytes(body.ToJsonString()) } };
    }
}
