// Submits prompts from a .NET program and reads their answers. It needs a Redis, and a worker on it:
//   OPENAI_API_KEY=… ./llmpipe work --redis 127.0.0.1:6379
//   dotnet run --project samples/Enqueue -- 127.0.0.1:6379
using LlmPipeline;
using Microsoft.Extensions.DependencyInjection;

var redis = args.Length > 0 ? args[0] : "127.0.0.1:6379";
await using var services = new ServiceCollection().AddPromptBatches(redis).BuildServiceProvider();
var batches = services.GetRequiredService<PromptBatches>();

// One prompt, before all batches.
var colour = await batches.AskAsync("gpt-4o-mini", "Name a colour.", timeout: TimeSpan.FromMinutes(5));
Console.WriteLine($"{colour.JobId}: {colour.Text ?? colour.Meta.Error?.Message}");

// Prompts that belong together. The same prompts are the same batch: a program that runs twice pays once.
string[] prompts = ["What is 2 + 3?", "What is 7 * 6?", "What is 100 / 8?"];
var batch = await batches.SubmitAsync("gpt-4o-mini", prompts);
var row = 0;
await foreach (var answer in batch.ResultsAsync())
    Console.WriteLine($"{prompts[row++]} {answer.Text ?? answer.Meta.Error?.Message}");
