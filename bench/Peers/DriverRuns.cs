using System.Text.Json.Nodes;

namespace LlmPipeline.Bench;

/// <summary>Runs drivers, in turns, and remembers what they said: several rows come from the same runs.</summary>
internal sealed class DriverRuns(BenchRedis redis, PeerFolder folder, int rounds, Action<string> log)
{
    private readonly Dictionary<DriverCall, DriverOutcome> _outcomes = [];

    /// <summary>The outcomes of calls, in their order. Those that were not run yet are run a round each, then the next round, so that a change of the machine meets all.</summary>
    public async Task<DriverOutcome[]> RunAsync(params DriverCall[] calls)
    {
        var open = calls.Distinct().Where(call => !_outcomes.ContainsKey(call)).ToList();
        foreach (var call in open)
            _outcomes[call] = new DriverOutcome();
        for (var round = 0; round < rounds; round++)
            foreach (var call in open.Where(call => _outcomes[call].Failure is null))
                await RunAsync(call, _outcomes[call]);
        return [.. calls.Select(call => _outcomes[call])];
    }

    /// <summary>The outcome of a call whose rounds take turns with something else, which is begun first in each.</summary>
    public async Task<DriverOutcome> InTurnsAsync(Func<Task> other, DriverCall call)
    {
        var outcome = new DriverOutcome();
        for (var round = 0; round < rounds; round++)
        {
            await other();
            if (outcome.Failure is null)
                await RunAsync(call, outcome);
        }

        return outcome;
    }

    private async Task RunAsync(DriverCall call, DriverOutcome outcome)
    {
        await Console.Error.WriteLineAsync($"bench: {call.Driver}, {call.Jobs} jobs, concurrency {call.Concurrency}{(call.Endpoint is null ? "" : ", over HTTP")}");
        try
        {
            await redis.FlushAsync();
            var before = await redis.CpuAsync();
            var (program, arguments, where, environment) = call.Command(redis.Address, folder);
            var finished = await FinishedProcess.RunAsync(program, arguments, where, environment);
            var line = DriverOutcome.Read(finished.Output) ?? throw new MeasurementException($"the driver of {call.Driver} said no line of JSON");
            line["redis_cpu_us_per_job"] = JsonValue.Create(Math.Round((await redis.CpuAsync() - before).TotalMicroseconds / call.Jobs, 1));
            log(line.ToJsonString());
            outcome.Add(line);
        }
        catch (MeasurementException e)
        {
            outcome.Fail(e.Message);
        }
    }
}
