using Microsoft.Extensions.Time.Testing;

namespace LlmPipeline.Tests;

public sealed class KeepingToLimits
{
    private readonly FakeTimeProvider _time = new();

    [Fact]
    public void A_minute_holds_the_limit_and_a_second_three_times_its_even_share()
    {
        var windows = new RateWindows(_time, 60, null);
        Assert.Equal([true, true, true, false], Admitted(windows, 4, 1));
        var admitted = 3;
        for (var second = 1; second < 60; second++)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            admitted += Admitted(windows, 4, 1).Count(a => a);
        }
        Assert.Equal(60, admitted);
        Assert.NotNull(windows.Admit(1).Refused);
        // The first three leave.
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Null(windows.Admit(1).Refused);
    }

    [Fact]
    public void A_refused_call_is_told_when_it_would_fit_and_fits_then()
    {
        var windows = new RateWindows(_time, null, 6000);
        Assert.Null(windows.Admit(200).Refused);
        _time.Advance(TimeSpan.FromMilliseconds(400));
        Assert.Null(windows.Admit(100).Refused);
        var refused = windows.Admit(150);
        Assert.True(refused.Refused!.Tokens);
        Assert.Equal(TimeSpan.FromMilliseconds(600), refused.RetryAfter);
        _time.Advance(refused.RetryAfter - TimeSpan.FromTicks(1));
        Assert.NotNull(windows.Admit(150).Refused);
        _time.Advance(TimeSpan.FromTicks(1));
        Assert.Null(windows.Admit(150).Refused);
    }

    [Fact]
    public void A_call_larger_than_the_second_passes_when_the_second_is_empty_and_one_larger_than_the_minute_never()
    {
        var windows = new RateWindows(_time, null, 600);
        Assert.Null(windows.Admit(500).Refused);
        Assert.NotNull(windows.Admit(10).Refused);
        Assert.Equal(TimeSpan.FromSeconds(1), windows.Admit(10).RetryAfter);
        Assert.Equal(601, windows.Admit(601).Refused!.Requested);
        _time.Advance(TimeSpan.FromMinutes(1));
        Assert.NotNull(windows.Admit(601).Refused);
    }

    [Fact]
    public void A_reservation_becomes_what_was_used()
    {
        var windows = new RateWindows(_time, null, 1000);
        var call = windows.Admit(900).Reservation!;
        windows.Correct(call, 20);
        Assert.Equal(980, windows.State().TokensLeft);
        _time.Advance(TimeSpan.FromMinutes(2));
        windows.Correct(call, 5);
        Assert.Equal(1000, windows.State().TokensLeft);
    }

    [Fact]
    public void New_limits_count_what_has_gone_before()
    {
        var windows = new RateWindows(_time, 600, null);
        Admitted(windows, 10, 1);
        windows.SetLimits(10, null);
        Assert.False(windows.Admit(1).Refused!.Tokens);
        windows.SetLimits(null, null);
        Assert.Null(windows.Admit(1).Refused);
    }

    [Fact]
    public async Task Over_the_limit_the_answer_is_a_429_that_says_when_to_come_again()
    {
        await using var simulator = await LlmSimulator.StartAsync(new() { RequestsPerMinute = 60, TokensPerMinute = 100_000, CountTokens = false }, _time);
        using var probe = new SimulatorProbe(simulator);
        for (var n = 0; n < 3; n++)
        {
            using var passed = await probe.PostAsync(SimulatorProbe.Chat, SimulatorProbe.Ask("a"));
            Assert.Equal($"{59 - n}", Header(passed, "x-ratelimit-remaining-requests"));
            Assert.Equal("100000", Header(passed, "x-ratelimit-limit-tokens"));
            Assert.Equal("1m0s", Header(passed, "x-ratelimit-reset-requests"));
        }
        _time.Advance(TimeSpan.FromMilliseconds(250));
        using var refused = await probe.PostAsync(SimulatorProbe.Chat, SimulatorProbe.Ask("a"));
        Assert.Equal(429, (int)refused.StatusCode);
        Assert.Equal("1", Header(refused, "Retry-After"));
        Assert.Equal("750", Header(refused, "retry-after-ms"));
        Assert.Equal("60", Header(refused, "x-ratelimit-limit-requests"));
        Assert.Contains("\"code\":\"rate_limit_exceeded\"", await refused.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        _time.Advance(TimeSpan.FromMilliseconds(750));
        using var again = await probe.PostAsync(SimulatorProbe.Chat, SimulatorProbe.Ask("a"));
        Assert.Equal(200, (int)again.StatusCode);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Azure_keeps_the_reservation_and_OpenAI_corrects_it(bool corrects)
    {
        await using var simulator = await LlmSimulator.StartAsync(new() { TokensPerMinute = 100_000, CorrectToUsage = corrects, CountTokens = false }, _time);
        using var probe = new SimulatorProbe(simulator);
        using var response = await probe.PostAsync(SimulatorProbe.Chat, SimulatorProbe.Ask("a", ",\"max_tokens\":4000"));
        var left = int.Parse(Header(response, "x-ratelimit-remaining-tokens"), System.Globalization.CultureInfo.InvariantCulture);
        Assert.Equal(corrects, left > 99_000);
    }

    [Fact]
    public async Task Limits_can_be_changed_from_outside()
    {
        await using var simulator = await LlmSimulator.StartAsync(new() { CountTokens = false }, _time);
        using var probe = new SimulatorProbe(simulator);
        using var free = await probe.PostAsync(SimulatorProbe.Chat, SimulatorProbe.Ask("a"));
        Assert.False(free.Headers.Contains("x-ratelimit-limit-requests"));
        using var set = await probe.PostAsync("limits", """{"rpm":1}""");
        Assert.Equal("""{"rpm":1,"tpm":null}""", await set.Content.ReadAsStringAsync());
        using var first = await probe.PostAsync(SimulatorProbe.Chat, SimulatorProbe.Ask("a"));
        using var second = await probe.PostAsync(SimulatorProbe.Chat, SimulatorProbe.Ask("a"));
        Assert.Equal((200, 429), ((int)first.StatusCode, (int)second.StatusCode));
        using var wrong = await probe.PostAsync("limits", """{"rpm":0}""");
        Assert.Equal(400, (int)wrong.StatusCode);
        simulator.SetLimits(null, null);
        using var third = await probe.PostAsync(SimulatorProbe.Chat, SimulatorProbe.Ask("a"));
        Assert.Equal(200, (int)third.StatusCode);
    }

    [Theory]
    [InlineData(0, "0s")]
    [InlineData(0.5, "1ms")]
    [InlineData(120, "120ms")]
    [InlineData(1000, "1s")]
    [InlineData(8640, "8.64s")]
    [InlineData(360_000, "6m0s")]
    [InlineData(3_603_000, "1h0m3s")]
    public void Durations_are_written_as_Go_does(double milliseconds, string text) =>
        Assert.Equal(text, GoDuration.Format(TimeSpan.FromTicks((long)(milliseconds * TimeSpan.TicksPerMillisecond))));

    private static bool[] Admitted(RateWindows windows, int calls, long tokens) =>
        [.. Enumerable.Range(0, calls).Select(_ => windows.Admit(tokens).Refused is null)];

    private static string Header(HttpResponseMessage response, string name) => Assert.Single(response.Headers.GetValues(name));
}
