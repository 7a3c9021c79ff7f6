using System.CommandLine;
using System.Globalization;

namespace LlmPipeline.Bench;

/// <summary><c>large</c>: rows of megabytes, such as pictures in base64.</summary>
internal static class LargeCommand
{
    private const string Help =
        """
        Measure a worker on rows of megabytes: time, the memory of redis-server and of the worker, and the longest script.

        'llmpipe work' as a process, on a redis-server that keeps nothing on disk, calls 'llmpipe simulate' as a process. Twice as many rows as
        calls are in Redis at a time, as with 'llmpipe run'. The longest script is that of Redis' SLOWLOG, from 0.1 ms.
        """;

    public static Command Create()
    {
        var rows = new Option<int>("--rows") { Description = "Rows of each size.", DefaultValueFactory = _ => 1000 };
        var megabytes = new Option<int[]>(
            "--megabytes")
        { Description = "The size of a row, MB; repeatable. Default: 4 and 16.", DefaultValueFactory = _ => [4, 16] };
        var concurrency = new Option<int>("--concurrency") { Description = "Calls at once.", DefaultValueFactory = _ => 32 };
        var latency = new Option<int>("--latency") { Description = "Of the endpoint, ms.", DefaultValueFactory = _ => 100 };
        var command = new Command("large", Help) { rows, megabytes, concurrency, latency };
        command.SetAction(
            (parsed, _) =>
                RunAsync(
                    parsed.GetRequiredValue(megabytes), parsed.GetValue(rows), parsed.GetValue(concurrency), parsed.GetValue(latency)));
        return command;
    }

    private static async Task<int> RunAsync(IReadOnlyList<int> sizes, int rows, int concurrency, int latency)
    {
        Console.WriteLine(
            $"{Environment.ProcessorCount} cores, {System.Runtime.InteropServices.RuntimeInformation.OSDescription}, .NET "
                + $"{Environment.Version}; {rows} rows, {concurrency} calls of {latency} ms at once");
        Console.WriteLine("| row | time | MB/s | redis-server, peak | worker, peak | longest script |");
        Console.WriteLine("|---:|---:|---:|---:|---:|---|");
        foreach (var size in sizes)
        {
            var found = await new LargeRun(size * 1_000_000, rows, concurrency, latency).MeasureAsync();
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"| {size} MB | {found.Time.TotalSeconds:0.0} s | {(long)size * rows / found.Time.TotalSeconds:0} | "
                    + $"{found.RedisBytes / 1048576.0:0} MiB | {found.WorkerMebibytes:0} MiB | {found.Longest} |"));
        }

        return 0;
    }
}
