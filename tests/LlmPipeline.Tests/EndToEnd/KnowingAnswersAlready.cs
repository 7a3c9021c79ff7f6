using Microsoft.Extensions.Logging.Abstractions;

namespace LlmPipeline.Tests;

/// <summary>Answers that a run's own worker has stored need not travel back from the store.</summary>
public sealed class KnowingAnswersAlready : IDisposable
{
    private static readonly RowTarget Target = new("m", "/v1/chat/completions");
    private readonly OutputFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task What_is_known_is_written_without_a_look_into_the_store_and_the_rest_is_fetched()
    {
        await using var redis = await RunRedis.OpenAsync(null, TimeProvider.System, NullLoggerFactory.Instance, default);
        var results = new ResultStore(redis.Connections, new ResultStoreOptions(), TimeProvider.System);
        var queue = new PromptQueue(redis.Connections, new PromptQueueOptions(), TimeProvider.System);
        await using var caller = new LlmCaller(
            new LlmOptions { Deployments = { new DeploymentOptions { Name = "none", Endpoint = "http://127.0.0.1:1/v1" } } }, new PromptFunctionSource(queue).FindAsync, TimeProvider.System, NullLoggerFactory.Instance);
        var output = await _folder.OpenAsync();
        var window = new RunWindow(10, 1000, 0, _ => false, TimeProvider.System);
        var tally = new RunTally(text => text);
        using (var collector = new RunCollector(
            results, new BatchReader(queue, results, new BatchInfo { Id = output.BatchId }, TimeProvider.System), output, window, tally,
            new RunSpending(caller, new OutputSpent(output.Paths, output.BatchId), null), redis.IsShared))
        {
            await window.AddAsync([(1, Target, 1), (2, Target, 1), (3, Target, 1)], default);
            // In the store there is nothing of the first, and only that of the second; the third has not ended.
            collector.Know(Completion(1, "known"));
            await results.PutAsync(Completion(2, "fetched"));
            await collector.TakeAsync([1, 2, 3], default);
            Assert.Equal(1, window.Rows);
            // What nobody will ask for is not kept: a row that is on disk, and another batch's.
            collector.Know(Completion(1, "too late"));
            await window.AddAsync([(1, Target, 1)], default);
            await collector.TakeAsync([1], default);
            Assert.Equal(2, window.Rows);
        }

        Assert.Equal(2, tally.Completed);
        await output.DisposeAsync();
        var written = _folder.Read("out.jsonl.partial");
        Assert.Contains("known", written);
        Assert.Contains("fetched", written);
        Assert.DoesNotContain("too late", written);
    }

    [Fact]
    public void Answers_are_kept_as_far_as_there_is_room_and_each_is_handed_out_once()
    {
        var answers = new RunAnswers(id => id != Id(9));
        answers.Add(Completion(1, "a"));
        answers.Add(Completion(2, new string('x', 16 * 1024 * 1024)));
        answers.Add(Completion(9, "unwanted"));
        Assert.Null(answers.Take(Id(2)));
        Assert.Null(answers.Take(Id(9)));
        Assert.Equal(Id(1), answers.Take(Id(1))!.JobId);
        Assert.Null(answers.Take(Id(1)));
        // The room of what was handed out, and of what found none, is free again.
        for (var n = 0; n < 10; n++)
        {
            answers.Add(Completion(3, new string('x', 15 * 1024 * 1024)));
            Assert.NotNull(answers.Take(Id(3)));
        }
    }

    [Fact]
    public async Task A_worker_tells_the_completions_that_it_has_stored_and_that_stand()
    {
        var queue = await TestQueue.CreateAsync(Store.RedisServer);
        var results = new ResultStore(queue.Redis, new ResultStoreOptions(), TimeProvider.System);
        await queue.EnqueueRowsAsync(1, 4);
        var (plain, late, failing, again) = (queue.Row(1).Id, queue.Row(2).Id, queue.Row(3).Id, queue.Row(4).Id);
        var caller = new ScriptedCaller(async (job, _) =>
        {
            // Meanwhile another worker's end stands: a completion, which stays, and an error, which does not.
            if (job.Id == late)
                await results.PutAsync(Completion(2, "another's") with { JobId = job.Id });
            if (job.Id == again)
                await results.PutAsync(new JobResult { JobId = job.Id, Status = ResultStatus.Failed, Meta = new ResultMeta { Error = new ResultError("internal_error", "no") } });
            if (job.Id == failing)
                throw new PromptFunctionException("there is none");
        });
        await using var worker = new WorkerProcess(queue.Redis, queue.Queue, results, caller, new WorkerOptions { Concurrency = 4 }, TimeProvider.System, NullLoggerFactory.Instance);
        var told = new List<JobResult>();
        worker.Completed += completion =>
        {
            lock (told)
                told.Add(completion);
        };
        await worker.StartAsync([queue.Name]);
        await Eventually.HoldsAsync(async () => await queue.ProgressAsync() is { Completed: 3, Failed: 1 }, "all have ended");
        Assert.Equal([plain, again], told.Select(t => t.JobId).Order());
        foreach (var completion in told)
        {
            var stored = await results.GetAsync(completion.JobId);
            Assert.Equal(completion.Response.ToArray(), stored!.Response.ToArray());
            Assert.Equal(completion.Meta, stored.Meta);
        }
    }

    private static string Id(int row) => RowId.Of(OutputFolder.Family, row);

    private static JobResult Completion(int row, string text) => new()
    {
        JobId = Id(row),
        Status = ResultStatus.Completed,
        Response = TestQueue.Body(text),
        Meta = new ResultMeta { CustomId = $"line-{row}", StatusCode = 200 },
    };
}
