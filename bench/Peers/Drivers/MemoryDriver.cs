using System.CommandLine;

namespace LlmPipeline.Bench;

/// <summary><c>fill</c> and <c>drain</c>: leave jobs in Redis that wait, and then their results, for whoever looks how much memory they take.</summary>
internal static class MemoryDriver
{
    private const string Batch = "memory";

    public static Command CreateFill()
    {
        var (redis, bodies) = (DriverOptions.Redis(), Lines("--bodies", "A request a line."));
        var command = new Command("fill", "Enqueues a batch, and ends.") { redis, bodies };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var lines = await File.ReadAllLinesAsync(parsed.GetRequiredValue(bodies).FullName, cancellationToken);
            await using var batch = await OwnBatch.OpenAsync(
                parsed.GetRequiredValue(redis), Batch, lines.Length, n => new RequestWork { Path = "/v1/chat/completions", Body = System.Text.Encoding.UTF8.GetBytes(lines[n]) });
            await batch.EnqueueAsync(0, lines.Length);
            return 0;
        });
        return command;
    }

    public static Command CreateDrain()
    {
        var (redis, jobs, answer) = (DriverOptions.Redis(), DriverOptions.Jobs(), Lines("--answer", "What every call answers."));
        var command = new Command("drain", "Works on the batch of 'fill' until it has ended.") { redis, jobs, answer };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var rows = parsed.GetValue(jobs);
            var none = new NoLlm { Body = await File.ReadAllBytesAsync(parsed.GetRequiredValue(answer).FullName, cancellationToken) };
            await using var batch = await OwnBatch.OpenAsync(parsed.GetRequiredValue(redis), Batch, rows);
            await using var worker = batch.Worker(none, 100);
            await worker.StartAsync([OwnBatch.Model], cancellationToken);
            return (await batch.EndAsync(rows)).Completed == rows ? 0 : 1;
        });
        return command;
    }

    private static Option<FileInfo> Lines(string name, string what) => new Option<FileInfo>(name) { Description = what, Required = true, HelpName = "FILE" }.AcceptExistingOnly();
}
