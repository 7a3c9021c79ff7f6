using Microsoft.Extensions.Time.Testing;

namespace LlmPipeline.Tests;

public sealed class TakingItsTime
{
    [Theory]
    [InlineData(LatencyShape.Constant, 300, 300)]
    [InlineData(LatencyShape.Uniform, 150, 450)]
    [InlineData(LatencyShape.Lognormal, 20, 3000)]
    public void Latencies_lie_around_the_mean_and_tokens_add_to_it(LatencyShape shape, int least, int most)
    {
        var options = new SimulatorOptions { Latency = TimeSpan.FromMilliseconds(200), LatencyPerToken = TimeSpan.FromMilliseconds(10), LatencyShape = shape };
        var drawn = Enumerable.Range(0, 20_000).Select(n => LatencyDraw.Of(options, DrawSequence.Mix(7, (ulong)n), 10).TotalMilliseconds).ToArray();
        Assert.InRange(drawn.Average(), 290, 310);
        Assert.InRange(drawn.Min(), least, most);
        Assert.InRange(drawn.Max(), least, most);
        Assert.Equal(shape == LatencyShape.Constant, drawn.Distinct().Count() == 1);
        Assert.Equal(drawn[5], LatencyDraw.Of(options, DrawSequence.Mix(7, 5), 10).TotalMilliseconds);
    }

    [Fact]
    public async Task An_answer_comes_when_its_latency_has_passed_and_not_before()
    {
        var time = new FakeTimeProvider();
        await using var simulator = await LlmSimulator.StartAsync(new() { CountTokens = false, Latency = TimeSpan.FromSeconds(2) }, time);
        using var probe = new SimulatorProbe(simulator);
        var call = probe.PostAsync(SimulatorProbe.Chat, SimulatorProbe.Ask("a"));
        var passed = TimeSpan.Zero;
        await SimulatorProbe.Until(() =>
        {
            if (simulator.Stats.InFlight == 1)
            {
                time.Advance(TimeSpan.FromMilliseconds(100));
                passed += TimeSpan.FromMilliseconds(100);
            }
            return call.IsCompleted;
        });
        Assert.True(passed >= TimeSpan.FromSeconds(2), $"It came after {passed}.");
        using var response = await call;
        Assert.True(response.IsSuccessStatusCode);
    }
}
