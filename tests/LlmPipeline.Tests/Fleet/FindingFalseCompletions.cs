namespace LlmPipeline;

/// <summary>Covers <c>doctor --answers BATCH</c>.</summary>
public sealed class FindingFalseCompletions(FleetHouse house) : IClassFixture<FleetHouse>, IDisposable
{
    private readonly FleetDesk _desk = new(house);

    public void Dispose() => _desk.Dispose();

    [Fact]
    public async Task They_are_named_without_a_word_of_them_count_as_failed_when_asked_to_and_run_again()
    {
        _desk.WriteRows("in.jsonl", 6);
        var batch = await _desk.SubmitAsync("in.jsonl");
        await house.WorkAsync();
        await _desk.OutAsync(0, "results", batch, "--wait");
        // As earlier versions stored them.
        await house.Redis.Database.HashSetAsync($"result:{batch}.2", "body", """{"error":{"message":"secret","code":429}}""");
        await house.Redis.Database.HashSetAsync($"result:{batch}.5", "body", """{"choices":[],"x":"secret"}""");

        var found = await _desk.RunAsync("doctor", "--answers", batch);
        var json = await _desk.JsonAsync(1, "doctor", "--answers", batch);
        var repaired = await _desk.RunAsync("doctor", "--answers", batch, "--repair");
        var clean = await _desk.RunAsync("doctor", "--answers", batch);

        Assert.Equal((1, 0, 0), (found.ExitCode, repaired.ExitCode, clean.ExitCode));
        Assert.Equal([$"{batch}.2", $"{batch}.5"], found.Out.TrimEnd().Split('\n').Select(line => line.Split(": ")[0]));
        Assert.DoesNotContain("secret", found.Out + found.Error + json, StringComparison.Ordinal);
        Assert.Equal((6, 2), ((int)json["completions"]!, (int)json["left"]!));
        Assert.All(repaired.Out.TrimEnd().Split('\n'), line => Assert.EndsWith("(counts as failed now)", line, StringComparison.Ordinal));
        Assert.Equal(("ended", 4, 2, 0, 0), await _desk.StatusAsync(batch));
        Assert.Equal(0, (await _desk.RunAsync("doctor", "--queue", _desk.Model)).ExitCode);

        await _desk.OutAsync(0, "submit", "in.jsonl", "--retry-failed");
        await _desk.OutAsync(0, "results", batch, "--wait");
        Assert.Equal(("ended", 6, 0, 0, 0), await _desk.StatusAsync(batch));
        Assert.Equal(0, (await _desk.RunAsync("doctor", "--answers", batch)).ExitCode);
    }

    [Fact]
    public async Task A_run_that_retries_what_failed_takes_none_of_them_for_an_answer()
    {
        _desk.Llmpipe.Environment["OPENAI_BASE_URL"] = house.Llm.BaseUrl.ToString();
        _desk.WriteRows("in.jsonl", 6);
        var before = await house.KeysAsync("result:*.2");
        await _desk.OutAsync(0, "run", "in.jsonl", "-o", "first.jsonl");
        var key = Assert.Single((await house.KeysAsync("result:*.2")).Except(before));
        var batch = ((string)key!)["result:".Length..^".2".Length];
        await house.Redis.Database.HashSetAsync(key, "body", """{"error":{"message":"busy","code":429}}""");
        var calls = house.Llm.Stats.Calls;

        // Its output knows nothing of the rows: all answers are those on Redis.
        Assert.Contains("6 completed", await _desk.ErrorAsync(0, "run", "in.jsonl", "-o", "out.jsonl", "--retry-failed"), StringComparison.Ordinal);

        Assert.Equal(calls + 1, house.Llm.Stats.Calls);
        Assert.DoesNotContain(_desk.Llmpipe.Lines("out.jsonl"), line => line.Contains("busy", StringComparison.Ordinal));
        Assert.Equal(("ended", 6, 0, 0, 0), await _desk.StatusAsync(batch));
        Assert.Equal(0, (await _desk.RunAsync("doctor", "--answers", batch)).ExitCode);
    }

    [Fact]
    public async Task A_run_of_the_fleet_that_retries_what_failed_takes_none_of_them_for_an_answer()
    {
        _desk.WriteRows("in.jsonl", 6);
        await house.WorkAsync();
        var batch = await _desk.SubmitAsync("in.jsonl");
        await _desk.OutAsync(0, "results", batch, "--wait");
        await house.Redis.Database.HashSetAsync($"result:{batch}.2", "body", """{"error":{"message":"busy","code":429}}""");
        var calls = house.Llm.Stats.Calls;

        await _desk.ErrorAsync(0, "run", "in.jsonl", "--fleet", "-o", "out.jsonl", "--retry-failed");

        Assert.Equal(calls + 1, house.Llm.Stats.Calls);
        Assert.DoesNotContain(_desk.Llmpipe.Lines("out.jsonl"), line => line.Contains("busy", StringComparison.Ordinal));
        Assert.Equal(("ended", 6, 0, 0, 0), await _desk.StatusAsync(batch));
    }

    [Fact]
    public async Task A_batch_that_is_unknown_is_no_batch_and_no_file() =>
        Assert.Contains(
            "there is no batch b-nowhere", await _desk.ErrorAsync(1, "doctor", "--answers", "b-nowhere"), StringComparison.Ordinal);
}
