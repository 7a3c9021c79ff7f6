using System.Text.RegularExpressions;

namespace LlmPipeline;

/// <summary>What happens where a user of Redis may not do all that a job needs: <see cref="ClaimGate"/>, <see cref="RedisPermissions"/>.</summary>
public sealed class NeedingPermissions
{
    private const int Rows = 20;

    [Fact]
    public void Every_command_of_a_script_is_asked_for()
    {
        var used = Repository.Files("src", "*.lua").SelectMany(file => Regex.Matches(Repository.Read(file), @"redis\.p?call\('([A-Za-z]+)'").Select(match => match.Groups[1].Value)).Distinct();
        Assert.Empty(used.Except(RedisNeeds.Commands.Select(command => command.Split(' ')[0])));
    }

    [Fact]
    public async Task Inside_MULTI_nothing_is_changed_and_each_gap_is_named()
    {
        await using var server = await RedisServer.StartAsync();
        await SetUserAsync(server, Acl().Replace("~results:waited ", "", StringComparison.Ordinal).Replace("+zpopmin ", "", StringComparison.Ordinal).Replace("&result:* ", "", StringComparison.Ordinal));
        await using var redis = await Stores.ConnectAsync($"redis://llmpipe:PASSWORD@{server.Address}");

        var missing = await RedisPermissions.MissingAsync(redis, FleetNeeds.Of([], "", "", ""), CancellationToken.None);

        Assert.Equal(["the keys results:waited", "the command ZPOPMIN", "the channels result:*"], missing);
        Assert.Equal("0", (await RedisCluster.AskAsync(server, "DBSIZE")).Trim());
    }

    [Fact]
    public async Task With_exactly_the_documented_permissions_a_fleet_works()
    {
        await using var house = await FleetHouse.StartAsync(new SimulatorOptions { CountTokens = false });
        await SetUserAsync(house.Server, Acl());
        using var desk = new FleetDesk($"redis://llmpipe:PASSWORD@{house.Server.Address}");
        await using var worker = Start(desk, house);
        desk.WriteRows("rows.jsonl", Rows, row => row == 3);

        var batch = await desk.SubmitAsync("rows.jsonl");
        await desk.OutAsync(3, "results", batch, "--wait", "-o", "answers.jsonl");

        Assert.Equal((Rows - 1, 1), ((await desk.StatusAsync(batch)).Completed, (await desk.StatusAsync(batch)).Failed));
        await desk.OutAsync(0, "doctor");
        await desk.OutAsync(0, "dead", "redrive", "--all", "--queue", desk.Model);
        await desk.OutAsync(0, "cancel", batch);
        await desk.OutAsync(0, "deployments", "list");
        Assert.DoesNotContain("permit", worker.Said);
        var refused = await RedisCluster.AskAsync(house.Server, "ACL", "LOG");
        Assert.DoesNotContain("pq:", refused);
        Assert.DoesNotContain("result", refused);
    }

    [Fact]
    public async Task Without_one_key_nothing_is_called_until_it_is_permitted()
    {
        await using var house = await FleetHouse.StartAsync(new SimulatorOptions { CountTokens = false });
        await SetUserAsync(house.Server, Acl().Replace("~results:waited ", "", StringComparison.Ordinal));
        using var desk = new FleetDesk($"redis://llmpipe:PASSWORD@{house.Server.Address}");
        desk.WriteRows("rows.jsonl", Rows);
        var batch = await desk.SubmitAsync("rows.jsonl");
        await using var worker = Start(desk, house);
        await Eventually.HoldsAsync(() => Task.FromResult(worker.Said.Contains("does not permit")), "the worker says it", TimeSpan.FromSeconds(60));
        var examined = await desk.RunAsync("doctor");

        Assert.Equal(1, examined.ExitCode);
        Assert.Contains("not permitted: the keys results:waited", examined.Error);
        Assert.Contains("does not permit this user the keys results:waited", worker.Said);
        Assert.Equal((0, Rows), (house.Llm.Stats.Calls, (await desk.StatusAsync(batch)).Left));

        await SetUserAsync(house.Server, Acl());
        await desk.OutAsync(0, "results", batch, "--wait", "-o", "answers.jsonl");
        Assert.Equal(Rows, house.Llm.Stats.Calls);
        Assert.Single(Regex.Matches(worker.Said, "does not permit"));
        Assert.Contains("claiming goes on", worker.Said);
    }

    [Fact, Trait("Category", "Slow")]
    public async Task What_is_paid_when_a_permission_is_taken_away_is_kept_and_stored_later()
    {
        await using var house = await FleetHouse.StartAsync(new SimulatorOptions { CountTokens = false, Latency = TimeSpan.FromMilliseconds(300) });
        await SetUserAsync(house.Server, Acl());
        using var desk = new FleetDesk($"redis://llmpipe:PASSWORD@{house.Server.Address}");
        desk.WriteRows("rows.jsonl", 60);
        await using var worker = Start(desk, house);
        var batch = await desk.SubmitAsync("rows.jsonl");
        await Eventually.HoldsAsync(() => Task.FromResult(house.Llm.Stats.Completed >= 10), "some rows are paid", TimeSpan.FromSeconds(60));

        await SetUserAsync(house.Server, Acl().Replace("~result:* ", "", StringComparison.Ordinal));
        await Eventually.HoldsAsync(() => Task.FromResult(worker.Said.Contains("does not permit")), "the worker says it", TimeSpan.FromSeconds(60));
        var paid = house.Llm.Stats.Calls;
        // Longer than a worker may be silent.
        await Task.Delay(TimeSpan.FromSeconds(6));
        Assert.InRange(house.Llm.Stats.Calls, paid, paid + 8);
        await SetUserAsync(house.Server, Acl());
        await desk.OutAsync(0, "results", batch, "--wait", "-o", "answers.jsonl");

        Assert.Equal((60, 60), (house.Llm.Stats.Calls, (await desk.StatusAsync(batch)).Completed));
        Assert.DoesNotContain("lease on job", worker.Said);
        Assert.Single(Regex.Matches(worker.Said, "does not permit"));
    }

    /// <summary>The line of docs/operations.md.</summary>
    private static string Acl() => Regex.Match(Repository.Read("docs/operations.md"), "```acl\n(user llmpipe .*)\n```").Groups[1].Value;

    private static Task SetUserAsync(RedisServer server, string line) =>
        RedisCluster.AskAsync(server, ["ACL", "SETUSER", .. ("llmpipe reset " + line["user llmpipe ".Length..]).Split(' ')]);

    private static WorkProcess Start(FleetDesk desk, FleetHouse house)
    {
        desk.Llmpipe.Environment["OPENAI_BASE_URL"] = house.Llm.BaseUrl.ToString();
        return new WorkProcess(desk.Start("work"));
    }
}
