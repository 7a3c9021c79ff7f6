using System.CommandLine;

namespace LlmPipeline.Bench;

/// <summary><c>--peers</c>: this project against what others use, in one run on one machine.</summary>
internal static class PeersCommand
{
    public static RootCommand Create()
    {
        var peers = new Option<DirectoryInfo>("--peers")
        {
            Description = "Compare this project with its peers, whose drivers lie in this folder: bullmq, hangfire, celery, asyncio.",
            HelpName = "DIR",
            Required = true,
        }.AcceptExistingOnly();
        var only = new Option<string[]>("--only") { Description = "Only these measurements; all without it.", HelpName = "NAME", AllowMultipleArgumentsPerToken = true, DefaultValueFactory = _ => [] };
        only.AcceptOnlyFromAmong([.. Measurement.All.Select(measurement => measurement.Name)]);
        var jobs = new Option<int>("--jobs") { Description = "Jobs of a run with calls that end at once; the slow peers get a fortieth.", HelpName = "N", DefaultValueFactory = _ => 1_000_000 };
        var rounds = new Option<int>("--rounds") { Description = "Runs of each driver, taken in turns; their median counts.", HelpName = "N", DefaultValueFactory = _ => 3 };
        var waiting = new Option<int>("--waiting") { Description = "Jobs that wait in the long queue; 10 million take some 4 GB.", HelpName = "N", DefaultValueFactory = _ => 10_000_000 };
        var rows = new Option<int>("--rows") { Description = "Rows of the file for 'llmpipe run'.", HelpName = "N", DefaultValueFactory = _ => 50_000 };
        var inFlight = new Option<int>("--in-flight") { Description = "Calls at a time when memory is measured.", HelpName = "N", DefaultValueFactory = _ => 10_000 };
        var folder = new Option<string>("--folder") { Description = "Where the peers are installed; default: llmpipe-peers in the user's cache directory.", HelpName = "WORK", DefaultValueFactory = _ => PeerFolder.Default };
        var json = new Option<FileInfo?>("--json") { Description = "Where the drivers' own lines and the rows go, as JSON lines.", HelpName = "FILE" };
        foreach (var number in (Option<int>[])[jobs, rounds, waiting, rows, inFlight])
            number.Validators.Add(result =>
            {
                if (!result.Tokens.Any() || (int.TryParse(result.Tokens[0].Value, out var n) && n > 0))
                    return;
                result.AddError($"{number.Name} is a whole number from 1 on");
            });
        var command = new RootCommand("Compares LlmPipeline with its peers, in one run on one machine, and prints one table.")
        {
            peers, only, jobs, rounds, waiting, rows, inFlight, folder, json,
        };
        command.SetAction((parsed, _) => RunAsync(
            parsed.GetRequiredValue(peers),
            Path.GetFullPath(parsed.GetRequiredValue(folder)),
            parsed.GetRequiredValue(only),
            new PeerOptions
            {
                Jobs = parsed.GetValue(jobs),
                Rounds = parsed.GetValue(rounds),
                Waiting = parsed.GetValue(waiting),
                Rows = parsed.GetValue(rows),
                InFlight = parsed.GetValue(inFlight),
            },
            parsed.GetValue(json)));
        return command;
    }

    private static async Task<int> RunAsync(DirectoryInfo drivers, string folder, string[] only, PeerOptions options, FileInfo? json)
    {
        await using var lines = json is null ? TextWriter.Null : new StreamWriter(json.FullName) { AutoFlush = true };
        await using var redis = await BenchRedis.StartAsync();
        var machine = await Machine.DescribeAsync(redis);
        var peers = await PeerFolder.InstallAsync(drivers, folder);
        var scratch = Directory.CreateTempSubdirectory("llmpipe-bench-").FullName;
        try
        {
            var bench = new PeerBench
            {
                Options = options,
                Redis = redis,
                Folder = peers,
                Runs = new DriverRuns(redis, peers, options.Rounds, lines.WriteLine),
                Log = lines.WriteLine,
                Scratch = scratch,
            };
            Console.WriteLine($"{machine}; {options.Jobs} jobs, median of {options.Rounds}\n\n{ComparisonTable.Head}");
            foreach (var measurement in Measurement.All.Where(m => only.Length == 0 || only.Contains(m.Name)))
                foreach (var row in await MeasureAsync(measurement, bench))
                {
                    Console.WriteLine(ComparisonTable.Row(row));
                    await lines.WriteLineAsync(ComparisonTable.Json(row));
                }
        }
        finally
        {
            Directory.Delete(scratch, recursive: true);
        }

        return 0;
    }

    // Whatever is wrong with one of them must not cost the others.
    private static async Task<IReadOnlyList<Comparison>> MeasureAsync(Measurement measurement, PeerBench bench)
    {
        await Console.Error.WriteLineAsync($"bench: {measurement.Title}");
        try
        {
            return await measurement.MeasureAsync(bench);
        }
        catch (Exception e)
        {
            if (e is not MeasurementException)
                await Console.Error.WriteLineAsync($"bench: {e}");
            return [new Comparison { Measure = measurement.Title, Ours = Figure.Missing(e.Message) }];
        }
    }
}
