using System.Globalization;
using System.Text.Json.Nodes;
using Xunit.Abstractions;

namespace LlmPipeline;

/// <summary>
/// A batch at one endpoint that behaves as many providers do, by share (docs/providers.md), while workers are killed: each row comes to what the table says of the
/// behaviour that it met, the cost is the sum over the stored answers, and no more is called than is needed beyond what was in flight at the kills.
/// </summary>
public sealed class KillingWorkersAmongDialects(ITestOutputHelper output)
{
    private const int Workers = 3;
    private const int Concurrency = 32;
    private const double LimitedShare = 0.01;
    private const double OtherShare = 0.89;
    private const decimal Input = 2.5m;
    private const decimal Output = 10;
    private static readonly TimeSpan LongEnoughForAll = TimeSpan.FromMinutes(25);

    [Fact, Trait("Category", "Full")]
    public Task Five_hundred_rows_come_to_what_the_table_says() => RunAsync(rows: 500, kills: 3);

    [Fact, Trait("Category", "Full")]
    public Task Twenty_thousand_rows_come_to_what_the_table_says() => RunAsync(rows: 20_000, kills: 12);

    // Left out are behaviours of the list of models, which the endpoint has once and not for each prompt; what needs a minute and a half; and limits of a minute that are told:
    // workers keep to them, and so the run would take as long as they say.
    private static bool IsPlayed(Dialect row) =>
        row.Models is null && row.Name != "llamacpp-loading-503"
        && !(row.Answer.TryGetProperty("headers", out var headers) && headers.GetRawText().Contains("ratelimit-limit", StringComparison.OrdinalIgnoreCase));

    // A rate limit concerns all rows: each pauses for as long as it says, a second or two, and many of them look like a limit that is to be found. So these are rare.
    private static SimulatorDialect[] Mix()
    {
        var table = DialectTable.Default.Rows.Where(IsPlayed).ToLookup(row => row.Outcome == DialectOutcome.Later);
        return [.. table.SelectMany(group => group.Select(row => new SimulatorDialect(row.Name, (group.Key ? LimitedShare : OtherShare) / group.Count())))];
    }

    private async Task RunAsync(int rows, int kills)
    {
        var endpoint = new SimulatorOptions { Latency = TimeSpan.FromMilliseconds(20), CountTokens = false, Dialects = Mix() };
        await using var fleet = await TestFleet.StartAsync(endpoint, lease: 5);
        fleet.Environment["OPENAI_API_KEY"] = "sk-of-the-tests-0123456789";
        fleet.Environment["LLMPIPE__EstimateUsage"] = "true";
        fleet.Set($"Prices__{fleet.Name}__Input", (double)Input);
        fleet.Set($"Prices__{fleet.Name}__Output", (double)Output);
        fleet.Set("MaxRetryAfter", 2);
        var all = Enumerable.Range(1, rows).Select(number => new MixedRow(number, fleet.Llm)).ToList();
        await fleet.Queue.EnqueueAsync([.. all.Select(row => JobOf(fleet, row))]);

        var watch = System.Diagnostics.Stopwatch.StartNew();
        var random = new Random(16);
        var workers = Enumerable.Range(0, Workers).Select(_ => fleet.StartWorker(Concurrency)).ToArray();
        var cut = 0L;
        for (var kill = 1; kill <= kills; kill++)
        {
            await fleet.EndAsync(kill * rows * 3 / (kills * 4), LongEnoughForAll);
            var victim = random.Next(Workers);
            var before = fleet.Llm.Stats.Abandoned;
            workers[victim].Kill();
            await workers[victim].ExitedAsync(TimeSpan.FromSeconds(30));
            workers[victim] = fleet.StartWorker(Concurrency);
            cut += fleet.Llm.Stats.Abandoned - before;
        }

        output.WriteLine($"the last kill came after {watch.Elapsed.TotalSeconds:0.0} s");
        await fleet.EndAsync(rows, LongEnoughForAll);
        output.WriteLine($"all rows ended after {watch.Elapsed.TotalSeconds:0.0} s");
        await CheckAsync(fleet, all, kills, cut);
    }

    private async Task CheckAsync(TestFleet fleet, List<MixedRow> rows, int kills, long cut)
    {
        var results = await fleet.Results.GetAsync([.. rows.Select(row => fleet.Row(row.Number).Id)]);
        var faults = rows.Select((row, n) => row.FaultOf(results[n])).Where(fault => fault is not null).ToList();
        Assert.True(faults.Count == 0, $"{faults.Count} rows:\n{string.Join('\n', faults.Take(30))}");
        var progress = await fleet.ProgressAsync();
        Assert.Equal((rows.Count, rows.Count(row => row.Fails), 0), ((int)progress.Expected, (int)progress.Failed, (int)progress.Cancelled));

        // Each stored answer costs what its tokens cost, and the batch what its answers cost.
        var stored = results.Sum(result => result!.Meta.Cost ?? 0);
        Assert.Equal(results.Sum(result => ((result!.Meta.InputTokens * Input) + (result.Meta.OutputTokens * Output)) / 1_000_000), stored);
        var reported = JobCost.Amount(progress.SpentNanos!.Value);
        Assert.Equal(stored, reported);

        var calls = await CallsAsync(fleet);
        var made = rows.Select(row => (Row: row, Calls: calls[fleet.Row(row.Number).Id])).ToList();
        var beyond = made.Where(one => one.Row.Calls is not null).Sum(one => Math.Max(0, one.Calls - one.Row.Calls!.Value));
        var played = fleet.Llm.Stats.Dialects;
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{rows.Count} rows, {rows.Count(row => row.Meets.Length > 0)} of them met one of {rows.Select(row => row.Meets).Distinct().Count() - 1} behaviours, {rows.Count(row => row.Fails)} failed as they must"));
        output.WriteLine($"{kills} kills cut {cut} calls off; {beyond} calls beyond the {made.Where(one => one.Row.Calls is not null).Sum(one => one.Row.Calls!.Value)} needed, {fleet.Llm.Stats.PaidTwice} paid twice");
        output.WriteLine($"{made.Count(one => one.Row.Calls is null)} rows whose account or model is refused took {made.Where(one => one.Row.Calls is null).Sum(one => one.Calls)} calls; all: {fleet.Llm.Stats.Calls}");
        output.WriteLine($"cost reported {reported}, of the stored answers {stored}, difference {reported - stored}");
        Assert.All(rows.Where(row => row.Meets.Length > 0 && row.Calls is > 1), row => Assert.True(played.ContainsKey(row.Meets), row.Meets));
        Assert.InRange(beyond, 0, kills * Concurrency);
        Assert.InRange(fleet.Llm.Stats.PaidTwice, 0, kills * Concurrency);
    }

    private static async Task<Dictionary<string, int>> CallsAsync(TestFleet fleet)
    {
        using var http = new HttpClient();
        var stats = JsonNode.Parse(await http.GetStringAsync(new Uri(fleet.Llm.Address, "stats?jobs=1")))!;
        return stats["jobCalls"]!.AsObject().ToDictionary(job => job.Key, job => (int)job.Value!["calls"]!);
    }

    private static Job JobOf(TestFleet fleet, MixedRow row) => fleet.Row(row.Number) with
    {
        Queue = fleet.Name,
        AttemptTimeout = row.AttemptTimeout,
        Work = new RequestWork { Path = row.Path, Body = row.Body },
    };
}
