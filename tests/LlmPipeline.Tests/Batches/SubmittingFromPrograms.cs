using System.Text;
using Microsoft.Extensions.DependencyInjection;

namespace LlmPipeline;

/// <summary>A .NET program submits batches and reads their results with <see cref="PromptBatches"/>.</summary>
public sealed class SubmittingFromPrograms(FleetHouse house) : IClassFixture<FleetHouse>
{
    private readonly string _model = Stores.NewName("model");

    private PromptBatches Batches => new(house.Queue, house.Results, TimeProvider.System);

    [Fact]
    public async Task Three_lines_submit_prompts_and_read_their_answers_in_order()
    {
        await house.WorkAsync();
        await using var services = new ServiceCollection().AddPromptBatches(house.Server.Address).BuildServiceProvider();
        var batches = services.GetRequiredService<PromptBatches>();
        string[] prompts = [.. Enumerable.Range(1, 230).Select(n => $"What is {n} + {n}?")];

        var batch = await batches.SubmitAsync(_model, prompts);
        var answers = new List<JobResult>();
        await foreach (var answer in batch.ResultsAsync())
            answers.Add(answer);

        Assert.Equal(prompts.Length, batch.Rows);
        Assert.Equal(Enumerable.Range(1, prompts.Length).Select(row => $"{batch.Id}.{row}"), answers.Select(answer => answer.JobId));
        Assert.All(answers, answer => Assert.Equal((ResultStatus.Completed, false), (answer.Status, string.IsNullOrEmpty(answer.Text))));
        var again = (await batches.FindAsync(batch.Id))!;
        var ids = new HashSet<string>();
        await foreach (var answer in again.ResultsAsTheyEndAsync())
            Assert.True(ids.Add(answer.JobId));
        Assert.Equal(prompts.Length, ids.Count);
    }

    [Fact]
    public async Task The_same_rows_are_the_same_batch_and_paid_once()
    {
        await house.WorkAsync();
        string[] prompts = ["one", "two", "three"];
        var first = await Batches.SubmitAsync(_model, prompts);
        Assert.Equal(3, (await AllAsync(first)).Count);
        var calls = house.Llm.Stats.Calls;

        var second = await Batches.SubmitAsync(_model, prompts);
        Assert.Equal((first.Id, 3), (second.Id, (await AllAsync(second)).Count));
        Assert.Equal(calls, house.Llm.Stats.Calls);

        // Any difference makes another: the order, the text, the model, a name.
        Assert.NotEqual(first.Id, (await Batches.SubmitAsync(_model, prompts.Reverse())).Id);
        Assert.NotEqual(first.Id, (await Batches.SubmitAsync(_model, ["onet", "wo", "three"])).Id);
        Assert.NotEqual(first.Id, (await Batches.SubmitAsync(_model + "2", prompts)).Id);
        Assert.NotEqual(first.Id, (await Batches.SubmitAsync(prompts.Select(text => BatchItem.OfPrompt(_model, text, text)))).Id);
        var named = await Batches.SubmitAsync(_model, prompts, new SubmitOptions { Id = _model + "-batch", Name = "mine" });
        Assert.Equal((_model + "-batch", "mine"), (named.Id, named.Info.Name));
        Assert.Equal(3, (await AllAsync(named)).Count);
    }

    [Fact]
    public async Task Bodies_and_prompt_functions_are_rows_too_and_errors_are_results()
    {
        await house.WorkAsync();
        var embedding = BatchItem.OfBody(Encoding.UTF8.GetBytes($$"""{"model":"{{_model}}","input":["a","b"]}"""), "/v1/embeddings", "vectors");
        var refused = BatchItem.OfBody(Encoding.UTF8.GetBytes($$$"""{"model":"{{{_model}}}","messages":[],"response_format":{"type":"poem"}}"""));

        var results = await AllAsync(await Batches.SubmitAsync(Streamed(embedding, refused)));

        Assert.Equal(("vectors", ResultStatus.Completed), (results[0].Meta.CustomId, results[0].Status));
        Assert.StartsWith("[[", results[0].Text);
        Assert.Equal((ResultStatus.Failed, null, 400), (results[1].Status, results[1].Text, results[1].Meta.StatusCode));

        var function = new PromptFiles("greet", new Dictionary<string, ReadOnlyMemory<byte>> { ["skprompt.txt"] = "Greet {{$name}}."u8.ToArray() });
        Assert.Equal(PromptFunction.FromFiles("greet", function.Files).Sha, function.Sha);
        var rows = new[] { "Ann", "Bob" }.Select(name => new Dictionary<string, string> { ["name"] = name });
        var greeted = await AllAsync(await Batches.SubmitAsync(_model, function, rows));
        Assert.Equal(2, greeted.Count(result => result.Status == ResultStatus.Completed));
        var fromFolder = PromptFiles.Load(Path.Join(Repository.Root, "prompts", "classify"));
        Assert.Equal((PromptFunction.Load(Path.Join(Repository.Root, "prompts", "classify")).Sha, "classify"), (fromFolder.Sha, fromFolder.Name));
    }

    [Fact]
    public async Task Failed_rows_run_again_when_asked_for()
    {
        await house.WorkAsync();
        var refused = BatchItem.OfBody(Encoding.UTF8.GetBytes($$$"""{"model":"{{{_model}}}","messages":[],"response_format":{"type":"poem"}}"""));
        await AllAsync(await Batches.SubmitAsync([refused]));
        var calls = house.Llm.Stats.Calls;
        await AllAsync(await Batches.SubmitAsync([refused]));
        Assert.Equal(calls, house.Llm.Stats.Calls);
        var results = await AllAsync(await Batches.SubmitAsync([refused], new SubmitOptions { RetryFailed = true }));
        Assert.Equal((1, true), (results.Count, house.Llm.Stats.Calls > calls));
    }

    [Fact]
    public async Task A_single_prompt_is_asked_and_waited_for_no_longer_than_said()
    {
        await house.WorkAsync();
        var answer = await Batches.AskAsync(_model, "hello", TimeSpan.FromMinutes(1));
        Assert.Equal((ResultStatus.Completed, false), (answer.Status, string.IsNullOrEmpty(answer.Text)));

        // Nobody serves a queue that is paused.
        Assert.True(await house.Queue.PauseAsync(_model));
        var timeout = await Assert.ThrowsAsync<TimeoutException>(() => Batches.AskAsync(_model, "again", TimeSpan.FromMilliseconds(300)));
        Assert.Contains("has no result after", timeout.Message);
        using var cancelled = new CancellationTokenSource(TimeSpan.FromMilliseconds(200));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Batches.AskAsync(_model, "again", null, cancelled.Token));
    }

    [Fact]
    public async Task What_cannot_be_a_batch_is_refused_before_anything_is_enqueued()
    {
        await Assert.ThrowsAsync<ArgumentException>(() => Batches.SubmitAsync(_model, []));
        var model = await Assert.ThrowsAsync<ArgumentException>(() => Batches.SubmitAsync([BatchItem.OfPrompt(_model, "x"), BatchItem.OfPrompt("a\nb", "x")]));
        Assert.StartsWith("Row 2: the model ", model.Message);
        await Assert.ThrowsAsync<ArgumentException>(() => Batches.SubmitAsync(_model, ["x"], new SubmitOptions { Id = "a\nb" }));
        Assert.Throws<ArgumentException>(() => BatchItem.OfBody("{}"u8.ToArray()));
        Assert.Throws<ArgumentException>(() => BatchItem.OfBody("{"u8.ToArray()));
        Assert.DoesNotContain(_model, await house.Queue.QueuesAsync());
        Assert.Empty(Directory.GetFiles(Path.GetTempPath(), "llmpipe-*.rows"));
    }

    private static async Task<IReadOnlyList<JobResult>> AllAsync(SubmittedBatch batch)
    {
        var results = new List<JobResult>();
        await foreach (var result in batch.ResultsAsync())
            results.Add(result);
        return results;
    }

    private static async IAsyncEnumerable<BatchItem> Streamed(params BatchItem[] items)
    {
        foreach (var item in items)
        {
            await Task.Yield();
            yield return item;
        }
    }
}
