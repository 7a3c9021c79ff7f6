using System.Text;

namespace LlmPipeline.Bench;

/// <summary>Memory of Redis (used_memory) that a job takes which waits, and one that has ended, with a request and an answer of 1,024 bytes. Looked at when the drivers have gone.</summary>
internal sealed class RedisMemory : Measurement
{
    private const int Jobs = 20_000;
    private const int Bytes = 1024;

    public override string Name => "redis-memory";

    public override string Title => "Redis memory per job";

    public override async Task<IReadOnlyList<Comparison>> MeasureAsync(PeerBench bench)
    {
        var (bodies, answer) = (Path.Join(bench.Scratch, "bodies.jsonl"), Path.Join(bench.Scratch, "answer.json"));
        await File.WriteAllLinesAsync(bodies, Enumerable.Range(0, Jobs).Select(n => Padded("""{"model":"sim","messages":[{"role":"user","content":" """.TrimEnd(), n, "\"}]}")));
        await File.WriteAllTextAsync(answer, Padded("""{"id":"chatcmpl-1","object":"chat.completion","model":"sim","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":" """.TrimEnd(), 0, "\"}}]}"));
        string[] fill = ["--redis", bench.Redis.Address, "--bodies", bodies];
        string[] drain = ["--redis", bench.Redis.Address, "--jobs", Words.Of(Jobs), "--answer", answer];
        var ours = await MeasureAsync(bench, () => bench.RunAsync(["fill", .. fill]), () => bench.RunAsync(["drain", .. drain]));
        var theirs = await MeasureAsync(bench, () => NodeAsync(["--phase", "fill", .. fill]), () => NodeAsync(["--phase", "drain", .. drain]));
        return
        [
            new Comparison { Measure = $"{Title} that waits, request of 1 KiB", Ours = ours.Waiting, Peers = [new("BullMQ", theirs.Waiting)], Target = Target.AtMost(0.85, "BullMQ") },
            new Comparison { Measure = $"{Title} that has ended, result of 1 KiB", Ours = ours.Ended, Peers = [new("BullMQ", theirs.Ended)], Target = Target.AtMost(0.45, "BullMQ") },
        ];

        Task<FinishedProcess> NodeAsync(string[] arguments) => FinishedProcess.RunAsync("node", ["memory.mjs", .. arguments], bench.Folder.Of("bullmq"));
    }

    private static async Task<(Figure Waiting, Figure Ended)> MeasureAsync(PeerBench bench, Func<Task> fill, Func<Task> drain)
    {
        try
        {
            await bench.Redis.FlushAsync();
            await bench.Redis.AloneAsync();
            var empty = await bench.Redis.MemoryAsync();
            await fill();
            await bench.Redis.AloneAsync();
            var full = await bench.Redis.MemoryAsync();
            await drain();
            await bench.Redis.AloneAsync();
            return (Figure.Of((full - empty) / (double)Jobs, " B"), Figure.Of((await bench.Redis.MemoryAsync() - empty) / (double)Jobs, " B"));
        }
        catch (MeasurementException e)
        {
            return (Figure.Missing(e.Message), Figure.Missing(e.Message));
        }
    }

    /// <summary>Text between two parts of a JSON object, so long that it is 1,024 bytes.</summary>
    private static string Padded(string head, int number, string tail)
    {
        var text = Encoding.UTF8.GetString(Prompts.Body(number)).Where(c => c is ' ' or (>= 'a' and <= 'z'));
        var content = new StringBuilder();
        while (content.Length < Bytes)
            content.AppendJoin("", text);
        return head + content.ToString(0, Bytes - head.Length - tail.Length) + tail;
    }
}
