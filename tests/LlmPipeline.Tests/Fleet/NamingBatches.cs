using System.Text.Json.Nodes;

namespace LlmPipeline;

/// <summary><c>submit --name</c>, and names where ids are asked for: <see cref="BatchInfo.Name"/>.</summary>
public sealed class NamingBatches(FleetHouse house) : IClassFixture<FleetHouse>, IDisposable
{
    private readonly FleetDesk _desk = new(house);

    public void Dispose() => _desk.Dispose();

    [Fact]
    public async Task A_batch_is_called_by_its_name_wherever_its_id_is_asked_for()
    {
        await house.WorkAsync();
        var name = Stores.NewName("größe am Montag");
        _desk.WriteRows("in.jsonl", 3, fails: n => n == 2);
        var submitted = JsonNode.Parse(await _desk.OutAsync(0, "submit", "in.jsonl", "--name", name, "--json"))!;
        var batch = (string)submitted["batch"]!;

        var results = await _desk.OutAsync(3, "results", name, "--wait");
        var status = await _desk.JsonAsync(0, "status", name);
        var all = (await _desk.JsonAsync(0, "status"))["batches"]!.AsArray().Single(one => (string)one!["batch"]! == batch)!;

        Assert.Equal(name, (string)submitted["name"]!);
        Assert.Equal(2, results.TrimEnd().Split('\n').Count(line => line.Contains("\"status_code\":200")));
        Assert.Equal((batch, name), ((string)status["batch"]!, (string)status["name"]!));
        Assert.Equal(name, (string)all["name"]!);
        Assert.Contains($"name       {name}\n", await _desk.OutAsync(0, "status", name));
        Assert.Contains($"{batch}  {name} ", await _desk.OutAsync(0, "status"));
        Assert.Contains($"batch {batch}: 1 of 1 failed rows wait again", await _desk.ErrorAsync(0, "retry", name));
        await _desk.OutAsync(3, "results", name, "--wait");
        Assert.Contains($"batch {batch} had ended already", await _desk.ErrorAsync(0, "cancel", name));
        Assert.Contains("2 completions", await _desk.ErrorAsync(0, "doctor", "--answers", name));
        Assert.Contains($"batch {batch} is forgotten", await _desk.ErrorAsync(0, "forget", name));
        Assert.Contains($"there is no batch {name}", await _desk.ErrorAsync(1, "status", name));
    }

    [Fact]
    public async Task A_name_of_several_batches_is_refused_with_their_ids_until_one_is_renamed()
    {
        var (name, other) = (Stores.NewName("nightly"), Stores.NewName("renamed"));
        _desk.WriteRows("one.jsonl", 1);
        _desk.WriteRows("two.jsonl", 1);
        var (one, two) = (await _desk.SubmitAsync("one.jsonl", "--name", name), await _desk.SubmitAsync("two.jsonl", "--name", name));

        foreach (var command in (string[])["status", "results", "cancel", "retry", "forget"])
        {
            var error = await _desk.ErrorAsync(1, command, name);
            Assert.Contains($"2 batches are named {name}: ", error);
            Assert.Contains(one, error);
            Assert.Contains(two, error);
        }

        await _desk.SubmitAsync("two.jsonl", "--name", other);
        await _desk.SubmitAsync("one.jsonl");
        Assert.Equal(one, (string)(await _desk.JsonAsync(0, "status", name))["batch"]!);
        Assert.Equal(two, (string)(await _desk.JsonAsync(0, "status", other))["batch"]!);
    }

    [Theory]
    [InlineData("")]
    [InlineData(" spaced")]
    [InlineData("a{b}")]
    [InlineData("two\nlines")]
    [InlineData("b-0123456789abcdef0123456789abcdef")]
    public async Task What_is_no_name_is_refused_before_anything_is_enqueued(string name)
    {
        _desk.WriteRows("in.jsonl", 1);

        var (exitCode, text, error) = await _desk.RunAsync("submit", "in.jsonl", "--name", name);

        Assert.Equal((2, ""), (exitCode, text));
        Assert.Contains("--name", error);
    }
}
