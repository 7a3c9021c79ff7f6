using System.Globalization;
using System.Text.Json.Nodes;
using Xunit.Abstractions;

namespace LlmPipeline;

/// <summary>
/// Eight users of one model on one Redis, who run, submit, ask a gateway and start workers at random while processes are killed: each row
/// is answered by the endpoint that is to answer it, and each cost is the sum over the stored answers. <c>SHARED_MINUTES</c> makes it
/// longer.
/// </summary>
[Trait("Category", "Full")]
public sealed class SharingOneRedis(ITestOutputHelper output) : IAsyncLifetime
{
    private const string Fleet = "fleet";
    private static readonly TimeSpan Short = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    private readonly List<SharedUser> _users = [];
    private readonly List<WorkProcess> _workers = [];
    private readonly CancellationTokenSource _stop = new();
    private RedisServer _server = null!;
    private SharedUser _fleet = null!;
    private int _kills;

    public async Task InitializeAsync()
    {
        _server = await RedisServer.StartAsync("--appendonly", "yes", "--appendfsync", "always");
        _fleet = new SharedUser(Fleet, _server.Address, 1);
    }

    public async Task DisposeAsync()
    {
        foreach (var worker in _workers)
            await worker.DisposeAsync();
        foreach (var user in _users.Append(_fleet))
            await user.DisposeAsync();
        await _server.DisposeAsync();
        _stop.Dispose();
    }

    [Fact]
    public async Task No_row_is_answered_by_the_endpoint_of_another_and_costs_are_those_of_the_stored_answers()
    {
        var minutes = Environment.GetEnvironmentVariable("SHARED_MINUTES");
        _stop.CancelAfter(minutes is null ? Short : TimeSpan.FromMinutes(double.Parse(minutes, CultureInfo.InvariantCulture)));
        for (var n = 0; n < 2; n++)
            _workers.Add(Worker());
        Task[] all =
        [
            .. Enumerable.Range(1, 3).Select(n => RepeatAsync($"runner{n}", RunAsync)),
            RepeatAsync("tester", SimulateAndRunAsync),
            RepeatAsync("submitter1", SubmitAsync),
            RepeatAsync("submitter2", SubmitAsync),
            RepeatAsync("waiter", RunOnTheFleetAsync),
            AskTheGatewayAsync(User("caller")),
            KillWorkersAsync(),
        ];
        await Task.WhenAll(all.Select(StopAtFaultAsync));

        Assert.All(_users, user => Assert.InRange(user.Checked, 1, int.MaxValue));
        foreach (var user in _users)
            Assert.Equal(user.Calls == 0 ? [] : [user.Name], user.Askers);
        Assert.Equal(["caller", "submitter1", "submitter2", "waiter"], _fleet.Askers.Order(StringComparer.Ordinal));
        await CheckCostsAsync();
        output.WriteLine($"{_users.Sum(user => user.Checked)} rows of {_users.Count} users checked, {_kills} workers and gateways and {_users.Sum(user => user.Kills)} runs killed");
        foreach (var user in _users.Append(_fleet))
            output.WriteLine($"{user.Name}: {user.Checked} rows, {user.Kills} kills, {user.Calls} calls of the endpoint");
    }

    // What fails ends the test at once, and not only when the time is up.
    private async Task StopAtFaultAsync(Task task)
    {
        try
        {
            await task;
        }
        catch
        {
            await _stop.CancelAsync();
            throw;
        }
    }

    private SharedUser User(string name)
    {
        var user = new SharedUser(name, _server.Address, name.GetHashCode(StringComparison.Ordinal));
        _users.Add(user);
        return user;
    }

    private async Task RepeatAsync(string name, Func<SharedUser, int, Task> action)
    {
        var user = User(name);
        for (var n = 1; !_stop.IsCancellationRequested; n++)
            await action(user, n);
    }

    private static async Task RunAsync(SharedUser user, int n)
    {
        var (path, rows) = user.WriteFile();
        var report = JsonNode.Parse(await user.RunUntilDoneAsync("run", path, "-o", $"out-{n}.jsonl", "--concurrency", "8", "--json"))!;
        Assert.Equal(rows, (int)report["completed_rows"]!);
        user.Check($"out-{n}.jsonl", n, rows, user.Name);
    }

    // First with a simulator, then with the real endpoint: nothing of the simulator may remain.
    private static async Task SimulateAndRunAsync(SharedUser user, int n)
    {
        var (path, rows) = user.WriteFile();
        var real = user.Desk.Llmpipe.Environment["OPENAI_BASE_URL"];
        await using (var simulator = await LlmSimulator.StartAsync(new SimulatorOptions { Latency = TimeSpan.FromMilliseconds(50), CountTokens = false }))
        {
            user.Desk.Llmpipe.Environment["OPENAI_BASE_URL"] = simulator.BaseUrl.ToString();
            await user.RunUntilDoneAsync("run", path, "-o", $"out-{n}.jsonl", "--concurrency", "8");
        }

        user.Desk.Llmpipe.Environment["OPENAI_BASE_URL"] = real;
        await user.RunUntilDoneAsync("run", path, "-o", $"out-{n}.jsonl", "--concurrency", "8", "--force");
        user.Check($"out-{n}.jsonl", n, rows, user.Name);
    }

    private static async Task SubmitAsync(SharedUser user, int n)
    {
        var (path, rows) = user.WriteFile();
        var batch = (await user.RunUntilDoneAsync("submit", path)).Trim();
        await user.RunUntilDoneAsync("results", batch, "--wait", "-o", $"out-{n}.jsonl");
        user.Check($"out-{n}.jsonl", n, rows, Fleet);
    }

    private static async Task RunOnTheFleetAsync(SharedUser user, int n)
    {
        var (path, rows) = user.WriteFile();
        await user.RunUntilDoneAsync("run", path, "--fleet", "-o", $"out-{n}.jsonl");
        user.Check($"out-{n}.jsonl", n, rows, Fleet);
    }

    // A gateway that is killed in the middle: its batches go on.
    private async Task AskTheGatewayAsync(SharedUser user)
    {
        var random = new Random(8);
        var files = user.Desk.Llmpipe.PathOf("files");
        user.Desk.Llmpipe.Environment["LLMPIPE__Gateway__ApiKeys__0"] = GatewayHouse.Key;
        var gateway = await GatewayProcess.StartAsync(user.Desk.Llmpipe, _server.Address, files);
        try
        {
            for (var n = 1; !_stop.IsCancellationRequested; n++)
            {
                var rows = random.Next(10, 60);
                var desk = new GatewayDesk(gateway);
                var id = (await desk.CreateAsync(await desk.UploadAsync(string.Join('\n', user.Lines(n, rows)) + "\n"))).BatchId;
                var prompt = user.Prompt(0, $"call{n}");
                using var answer = await desk.Http.PostAsync("v1/chat/completions", GatewayDesk.Json(Rows.Json(new { model = SharedUser.Model, messages = new[] { new { role = "user", content = prompt } } })));
                var said = JsonNode.Parse(await answer.Content.ReadAsStringAsync())!;
                Assert.Equal(SharedUser.AnswerOf(Fleet, prompt), (string)said["choices"]![0]!["message"]!["content"]!);
                if (random.Next(3) == 0)
                {
                    gateway.Process.Kill();
                    _kills++;
                    await gateway.DisposeAsync();
                    desk.Dispose();
                    gateway = await GatewayProcess.StartAsync(user.Desk.Llmpipe, _server.Address, files);
                    desk = new GatewayDesk(gateway);
                }

                var batch = await desk.BecomesAsync(id, "completed");
                user.Check(await desk.LinesOfAsync((string?)batch["output_file_id"]), n, rows, Fleet);
                desk.Dispose();
            }
        }
        finally
        {
            await gateway.DisposeAsync();
        }
    }

    private async Task KillWorkersAsync()
    {
        var random = new Random(9);
        while (!_stop.IsCancellationRequested)
        {
            await Task.WhenAny(Task.Delay(random.Next(4000, 15_000), _stop.Token));
            var victim = random.Next(_workers.Count);
            _workers[victim].Kill();
            _kills++;
            await _workers[victim].DisposeAsync();
            _workers[victim] = Worker();
        }
    }

    private WorkProcess Worker()
    {
        _fleet.Desk.Llmpipe.Environment["LLMPIPE__Lease"] = "5";
        return new WorkProcess(_fleet.Desk.Start("work", "--concurrency", "16"));
    }

    private async Task CheckCostsAsync()
    {
        await using var redis = await Stores.ConnectAsync(_server.Address);
        var queue = new PromptQueue(redis, new PromptQueueOptions(), TimeProvider.System);
        var results = new ResultStore(redis, new ResultStoreOptions(), TimeProvider.System);
        await Eventually.HoldsAsync(async () => (await queue.Private.ListAsync()).Count == 0, "all private queues have retired", Patience);
        var (sum, priced) = (0m, 0);
        foreach (var batch in await queue.Batches.ListAsync())
        {
            var progress = await queue.Batches.ProgressAsync(batch);
            Assert.Equal((progress.Expected, 0L, 0L), (progress.Completed, progress.Failed, progress.Cancelled));
            var stored = await results.GetAsync([.. Enumerable.Range(1, (int)progress.Expected).Select(row => $"{batch}.{row}")]);
            var cost = stored.Sum(result => result!.Meta.Cost ?? 0);
            Assert.Equal(cost, JobCost.Amount(progress.SpentNanos ?? 0));
            sum += cost;
            priced += cost > 0 ? 1 : 0;
        }

        output.WriteLine($"{priced} batches with a cost, {sum} in all");
        Assert.InRange(priced, _users.Count, int.MaxValue);
    }
}
