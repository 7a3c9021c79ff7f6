using System.Globalization;

namespace LlmPipeline;

[Trait("Category", "Slow")]
public sealed class CountingWhatIsSpent : IAsyncLifetime
{
    private const decimal Input = 2.5m;
    private const decimal Output = 10;
    private readonly FleetHouse _house = new();
    private FleetDesk _desk = null!;

    public async Task InitializeAsync()
    {
        await _house.InitializeAsync();
        _house.Set("Deployments__0__Name", "main");
        _house.Set("Deployments__0__Endpoint", _house.Llm.BaseUrl.ToString());
        _house.Set("Deployments__0__Price__Input", Input.ToString(CultureInfo.InvariantCulture));
        _house.Set("Deployments__0__Price__Output", Output.ToString(CultureInfo.InvariantCulture));
        _house.Set("Deployments__0__Priority", "-1");
        _desk = new FleetDesk(_house);
    }

    public Task DisposeAsync()
    {
        _desk.Dispose();
        return _house.DisposeAsync();
    }

    [Fact]
    public async Task Status_and_result_tell_what_a_batch_has_cost_failed_and_redriven_rows_included()
    {
        _desk.WriteRows("in.jsonl", 10, fails: n => n == 3);
        await _house.WorkAsync();

        var batch = await _desk.SubmitAsync("in.jsonl");
        await _desk.OutAsync(3, "results", batch, "--wait");
        var result = await _desk.JsonAsync(0, "result", batch + ".1");
        var status = await _desk.JsonAsync(0, "status", batch);
        var all = await _desk.JsonAsync(0, "status");
        var text = await _desk.OutAsync(0, "status", batch);
        // A refusal that comes before the first success is sent twice.
        var calls = _house.Llm.Stats.Calls;
        await _desk.OutAsync(0, "dead", "redrive", "--all");
        await Eventually.HoldsAsync(async () => (await _desk.StatusAsync(batch)).Failed == 1 && _house.Llm.Stats.Calls > calls, "the failed row has run again");

        var cost = 0m;
        for (var row = 1; row <= 10; row++)
        {
            if (row == 3)
                continue;
            var one = await _desk.JsonAsync(0, "result", $"{batch}.{row}");
            var usage = one["response"]!["body"]!["usage"]!;
            var expected = (((long)usage["prompt_tokens"]! * Input) + ((long)usage["completion_tokens"]! * Output)) / 1_000_000;
            Assert.Equal(expected, (decimal)one["meta"]!["cost"]!);
            cost += expected;
        }

        Assert.Equal("main", (string)result["meta"]!["deployment"]!);
        Assert.Equal(cost, (decimal)status["cost"]!);
        Assert.Contains($"cost       {cost.ToString("0.00#######", CultureInfo.InvariantCulture)}\n", text);
        Assert.Equal(("main", cost), ((string)all["deployments"]![0]!["deployment"]!, (decimal)all["deployments"]![0]!["cost"]!));
        Assert.Equal(cost, (decimal)(await _desk.JsonAsync(0, "status", batch))["cost"]!);
    }
}
