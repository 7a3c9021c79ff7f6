// Enqueues prompts from a .NET program and fetches their completions. It needs a Redis, and a worker on it:
//   OPENAI_API_KEY=… ./llmpipe work --redis 127.0.0.1:6379
//   dotnet run --project samples/Enqueue -- 127.0.0.1:6379
using System.Text.Json;
using LlmPipeline;
using Microsoft.Extensions.DependencyInjection;

var redis = args.Length > 0 ? args[0] : "127.0.0.1:6379";
await using var services = new ServiceCollection().AddPromptQueue(redis).AddResultStore(redis).BuildServiceProvider();
var queue = services.GetRequiredService<PromptQueue>();
var results = services.GetRequiredService<ResultStore>();

// One prompt. The same idempotency key is the same job: a program that is run twice pays once.
var job = await queue.EnqueueAsync("gpt-4o-mini", "Name a colour.", new JobOptions { Lane = Lane.High, IdempotencyKey = "a-colour" });
Console.WriteLine($"{job}: {Text(await results.WaitAsync(job))}");

// Prompts that belong together, and their answers as they come. What doesn't fit in memory is enqueued as a stream: EnqueueAsync takes an IAsyncEnumerable<Job> too.
string[] prompts = ["What is 2 + 3?", "What is 7 * 6?", "What is 100 / 8?"];
var batch = $"sums-{Guid.CreateVersion7():N}";
await queue.Batches.SaveAsync(new BatchInfo { Id = batch, Rows = prompts.Length, Queues = ["gpt-4o-mini"], Created = TimeProvider.System.GetUtcNow(), Sealed = true });
await queue.EnqueueAsync([.. prompts.Select((prompt, n) => new Job
{
    Id = $"{batch}.{n + 1}",
    Queue = "gpt-4o-mini",
    Batch = batch,
    Row = n + 1,
    CustomId = prompt,
    Work = new RequestWork { Path = "/v1/chat/completions", Body = JsonSerializer.SerializeToUtf8Bytes(new { model = "gpt-4o-mini", messages = new[] { new { role = "user", content = prompt } } }) },
})]);
await foreach (var result in results.GetAsync(queue.Batches.EndedAsync(batch)))
    Console.WriteLine($"{result.Meta.CustomId} {Text(result)}");

static string Text(JobResult result)
{
    if (result.Status != ResultStatus.Completed)
        return $"{result.Status}: {result.Meta.Error?.Message}";
    using var body = JsonDocument.Parse(result.Response);
    return body.RootElement.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString() ?? "";
}
