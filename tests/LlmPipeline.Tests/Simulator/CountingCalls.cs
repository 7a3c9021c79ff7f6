using System.Text;
using System.Text.Json;

namespace LlmPipeline.Tests;

public sealed class CountingCalls
{
    private const string JobHeader = "x-llmpipeline-job-id";

    [Fact]
    public async Task A_job_that_got_two_completions_was_paid_twice()
    {
        await using var simulator = await LlmSimulator.StartAsync(new() { CountTokens = false });
        using var probe = new SimulatorProbe(simulator);
        foreach (var (job, fault) in new[] { ("b.1", "ok"), ("b.1", "ok"), ("b.2", "500"), ("b.2", "ok"), ("b.3", "cut"), ("b.3", "notjson"), ("b.3", "ok") })
        {
            try
            {
                using var response = await probe.PostAsync(SimulatorProbe.Chat, SimulatorProbe.Ask("a"), (JobHeader, job), ("x-sim-fault", fault));
            }
            catch (HttpRequestException) when (fault == "cut")
            {
            }
        }
        var stats = simulator.Stats;
        Assert.Equal((7, 4, 3, 1), (stats.Calls, stats.Completed, stats.Jobs, stats.PaidTwice));
        Assert.Equal(new Dictionary<int, int> { [2] = 2, [3] = 1 }, stats.CallsPerJob);
        Assert.Equal((6, 1), (stats.Statuses[200], stats.Statuses[500]));
        Assert.True(stats.TokensIn > 0 && stats.TokensOut > 0);

        var json = JsonElement.Parse(await probe.GetAsync("stats?jobs=1"));
        Assert.Equal(1, json.GetProperty("paidTwice").GetInt32());
        Assert.Equal(2, json.GetProperty("callsPerJob").GetProperty("2").GetInt32());
        Assert.Equal(1, json.GetProperty("faults").GetProperty("cut").GetInt32());
        Assert.Equal(3, json.GetProperty("jobCalls").GetProperty("b.3").GetProperty("calls").GetInt32());
        Assert.Equal(1, json.GetProperty("jobCalls").GetProperty("b.3").GetProperty("completions").GetInt32());
    }

    [Fact]
    public async Task A_reset_starts_from_zero()
    {
        await using var simulator = await LlmSimulator.StartAsync(new() { CountTokens = false, Record = true });
        using var probe = new SimulatorProbe(simulator);
        using var counted = await probe.PostAsync(SimulatorProbe.Chat, SimulatorProbe.Ask("a"), (JobHeader, "b.1"));
        Assert.Equal((1, 1, 1), (simulator.Stats.Completed, simulator.Stats.Jobs, simulator.Requests.Count));
        var after = await probe.AnswerAsync("stats/reset", "");
        Assert.Equal(0, after.GetProperty("calls").GetInt32());
        Assert.Equal((0, 0, 0), (simulator.Stats.Completed, simulator.Stats.Jobs, simulator.Stats.MaxInFlight));
        Assert.Empty(simulator.Requests);
    }

    [Fact]
    public async Task A_client_that_left_before_the_answer_got_none()
    {
        await using var simulator = await LlmSimulator.StartAsync(new() { CountTokens = false, Latency = TimeSpan.FromMinutes(5) });
        using var probe = new SimulatorProbe(simulator);
        using var patience = new CancellationTokenSource();
        var call = probe.PostAsync(SimulatorProbe.Chat, SimulatorProbe.Ask("a"), patience.Token, (JobHeader, "b.1"));
        await SimulatorProbe.Until(() => simulator.Stats.InFlight == 1);
        await patience.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
        await SimulatorProbe.Until(() => simulator.Stats.InFlight == 0);
        Assert.Equal((1, 0, 1), (simulator.Stats.Abandoned, simulator.Stats.Completed, simulator.Stats.Calls));
    }

    [Fact]
    public async Task Recorded_requests_are_what_was_sent_byte_for_byte_and_without_keys()
    {
        await using var simulator = await LlmSimulator.StartAsync(new() { CountTokens = false, Record = true });
        using var probe = new SimulatorProbe(simulator);
        var body = SimulatorProbe.Ask("é 🙂", """, "x" : 1.50""");
        using var response = await probe.PostAsync(SimulatorProbe.AzureChat, body, (JobHeader, "b.1"), ("api-key", "secret"), ("X-Other", "o"));
        var kept = Assert.Single(simulator.Requests);
        Assert.Equal(("/" + SimulatorProbe.AzureChat, "b.1", body), (kept.Path, kept.JobId, Encoding.UTF8.GetString(kept.Body.Span)));
        Assert.Equal("o", kept.Headers["x-other"]);
        Assert.False(kept.Headers.ContainsKey("api-key"));

        var line = JsonElement.Parse((await probe.GetAsync("requests")).TrimEnd('\n'));
        Assert.Equal(body, Encoding.UTF8.GetString(line.GetProperty("bodyBase64").GetBytesFromBase64()));
        Assert.Equal("b.1", line.GetProperty("jobId").GetString());
    }

    [Fact]
    public async Task Many_calls_at_once_are_all_answered_and_counted()
    {
        await using var simulator = await LlmSimulator.StartAsync(new() { FailShare = 0.1, Faults = [FaultKind.ServerError], CountTokens = false });
        using var probe = new SimulatorProbe(simulator);
        await Parallel.ForAsync(0, 2000, new ParallelOptions { MaxDegreeOfParallelism = 50 }, async (n, cancellationToken) =>
        {
            while (true)
            {
                using var response = await probe.PostAsync(SimulatorProbe.Chat, SimulatorProbe.Ask($"question {n}"), cancellationToken, (JobHeader, $"b.{n}"));
                if (response.IsSuccessStatusCode)
                    return;
            }
        });
        var stats = simulator.Stats;
        Assert.Equal((2000, 2000, 0, 0), (stats.Completed, stats.Jobs, stats.PaidTwice, stats.InFlight));
        Assert.Equal(stats.Calls, stats.Completed + stats.Statuses[500]);
        Assert.Equal(2000, stats.CallsPerJob.Values.Sum());
        Assert.InRange(stats.MaxInFlight, 1, 50);
    }
}
