using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Time.Testing;

namespace LlmPipeline.Tests;

public sealed class MeetingFaults
{
    [Theory]
    [InlineData("500", 500, "server_error")]
    [InlineData("503", 503, "overloaded")]
    [InlineData("429", 429, "rate_limit_exceeded")]
    [InlineData("quota", 429, "insufficient_quota")]
    [InlineData("filter", 400, "content_filter")]
    [InlineData("notjson", 200, "<html>")]
    [InlineData("OK", 200, "chat.completion")]
    public async Task A_header_asks_for_an_answer_that_is_wrong(string fault, int status, string says)
    {
        await using var simulator = await LlmSimulator.StartAsync(new() { CountTokens = false });
        using var probe = new SimulatorProbe(simulator);
        using var response = await probe.PostAsync(SimulatorProbe.Chat, SimulatorProbe.Ask("a"), ("x-sim-fault", fault));
        Assert.Equal(status, (int)response.StatusCode);
        Assert.Contains(says, await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Equal(fault is "503" or "429", response.Headers.Contains("retry-after-ms") && fault != "quota");
        Assert.Equal(fault == "OK" ? 1 : 0, simulator.Stats.Completed);
    }

    [Fact]
    public async Task A_fault_that_nobody_knows_is_a_400()
    {
        await using var simulator = await LlmSimulator.StartAsync(new() { CountTokens = false });
        using var probe = new SimulatorProbe(simulator);
        using var response = await probe.PostAsync(SimulatorProbe.Chat, SimulatorProbe.Ask("a"), ("x-sim-fault", "fire"));
        Assert.Equal(400, (int)response.StatusCode);
        Assert.Contains("notjson", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_reset_is_a_reset_on_the_wire_and_no_orderly_end()
    {
        await using var simulator = await LlmSimulator.StartAsync(new() { CountTokens = false });
        using var client = await SendRawAsync(simulator, "reset");
        var broken = await Assert.ThrowsAsync<IOException>(() => client.GetStream().ReadAsync(new byte[100]).AsTask());
        Assert.Equal(SocketError.ConnectionReset, Assert.IsType<SocketException>(broken.InnerException).SocketErrorCode);
        Assert.Equal(1, simulator.Stats.Faults[FaultKind.Reset]);
        Assert.Empty(simulator.Stats.Statuses);
    }

    [Fact]
    public async Task A_cut_answer_promises_more_than_it_sends()
    {
        await using var simulator = await LlmSimulator.StartAsync(new() { CountTokens = false });
        using var client = await SendRawAsync(simulator, "cut");
        using var received = new MemoryStream();
        await client.GetStream().CopyToAsync(received);
        var parts = Encoding.UTF8.GetString(received.ToArray()).Split("\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 200 OK", parts[0], StringComparison.Ordinal);
        var promised = int.Parse(parts[0].Split("Content-Length: ")[1].Split('\r')[0], System.Globalization.CultureInfo.InvariantCulture);
        Assert.Equal(promised / 2, parts[1].Length);
        Assert.Equal(0, simulator.Stats.Completed);
        using var probe = new SimulatorProbe(simulator);
        await Assert.ThrowsAsync<HttpRequestException>(() => probe.PostAsync(SimulatorProbe.Chat, SimulatorProbe.Ask("a"), ("x-sim-fault", "cut")));
    }

    [Fact]
    public async Task A_hanging_call_ends_when_its_client_goes_away()
    {
        await using var simulator = await LlmSimulator.StartAsync(new() { CountTokens = false });
        using var probe = new SimulatorProbe(simulator);
        using var patience = new CancellationTokenSource();
        var call = probe.PostAsync(SimulatorProbe.Chat, SimulatorProbe.Ask("a"), patience.Token, ("x-sim-fault", "hang"));
        await SimulatorProbe.Until(() => simulator.Stats.InFlight == 1);
        Assert.False(call.IsCompleted);
        await patience.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
        await SimulatorProbe.Until(() => simulator.Stats.InFlight == 0);
    }

    [Fact]
    public async Task Hanging_and_slow_calls_do_not_delay_the_end()
    {
        var simulator = await LlmSimulator.StartAsync(new() { CountTokens = false, Latency = TimeSpan.FromMinutes(5) });
        using var probe = new SimulatorProbe(simulator);
        var hanging = probe.PostAsync(SimulatorProbe.Chat, SimulatorProbe.Ask("a"), ("x-sim-fault", "hang"));
        var late = probe.PostAsync(SimulatorProbe.Chat, SimulatorProbe.Ask("a"));
        await SimulatorProbe.Until(() => simulator.Stats.InFlight == 2);
        await simulator.DisposeAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(15));
        await Assert.ThrowsAsync<HttpRequestException>(() => hanging);
        await Assert.ThrowsAsync<HttpRequestException>(() => late);
        await simulator.DisposeAsync();
    }

    [Fact]
    public async Task A_slow_answer_drips_and_is_whole_in_the_end()
    {
        var time = new FakeTimeProvider();
        await using var simulator = await LlmSimulator.StartAsync(new() { CountTokens = false }, time);
        using var probe = new SimulatorProbe(simulator);
        var whole = await probe.TextAsync(SimulatorProbe.Ask("a"));
        var slow = probe.PostAsync(SimulatorProbe.Chat, SimulatorProbe.Ask("a"), ("x-sim-fault", "slow"));
        await SimulatorProbe.Until(() =>
        {
            time.Advance(TimeSpan.FromMilliseconds(100));
            return slow.IsCompleted;
        });
        Assert.Contains(whole, await (await slow).Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Equal(2, simulator.Stats.Completed);
    }

    [Fact]
    public async Task A_script_says_what_the_first_calls_meet()
    {
        await using var simulator = await LlmSimulator.StartAsync(new() { Script = [FaultKind.ServerError, FaultKind.None, FaultKind.TooManyRequests], CountTokens = false });
        using var probe = new SimulatorProbe(simulator);
        var statuses = new List<int>();
        for (var n = 0; n < 5; n++)
        {
            using var response = await probe.PostAsync(SimulatorProbe.Chat, SimulatorProbe.Ask("a"));
            statuses.Add((int)response.StatusCode);
        }
        Assert.Equal([500, 200, 429, 200, 200], statuses);
    }

    [Fact]
    public void Faults_are_drawn_by_share_from_seed_request_and_times_seen()
    {
        var options = new SimulatorOptions { FailShare = 0.2 };
        var draw = new FaultDraw(options);
        var again = new FaultDraw(options);
        var first = Enumerable.Range(0, 10_000).Select(n => draw.Next((ulong)n, null).Fault).ToArray();
        Assert.Equal(first, Enumerable.Range(0, 10_000).Select(n => again.Next((ulong)n, null).Fault));
        Assert.InRange(first.Count(f => f != FaultKind.None), 1850, 2150);
        Assert.Equal(options.Faults.Order(), first.Where(f => f != FaultKind.None).Distinct().Order());
        // Seen again, four in five of those that failed fare well.
        var retried = Enumerable.Range(0, 10_000).Where(n => first[n] != FaultKind.None).Select(n => draw.Next((ulong)n, null).Fault).ToArray();
        Assert.InRange(retried.Count(f => f != FaultKind.None) / (double)retried.Length, 0.15, 0.25);
    }

    [Fact]
    public void Every_fault_has_a_name_of_its_own()
    {
        foreach (var kind in Enum.GetValues<FaultKind>())
            Assert.True(FaultNames.TryParse(FaultNames.Of(kind), out var parsed) && parsed == kind);
        Assert.Equal(Enum.GetValues<FaultKind>().Length, FaultNames.All.Count);
    }

    private static async Task<TcpClient> SendRawAsync(LlmSimulator simulator, string fault)
    {
        var client = new TcpClient();
        await client.ConnectAsync(simulator.Address.Host, simulator.Address.Port);
        var body = SimulatorProbe.Ask("a");
        await client.GetStream().WriteAsync(Encoding.UTF8.GetBytes($"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nx-sim-fault: {fault}\r\nContent-Length: {body.Length}\r\n\r\n{body}"));
        return client;
    }
}
