using System.Globalization;
using System.Text.RegularExpressions;

namespace LlmPipeline.Bench;

/// <summary>What the simulator can take, by wrk: it must not be what limits the others.</summary>
internal sealed partial class SimulatorRate : Measurement
{
    public override string Name => "simulator";

    public override string Title => "simulator, wrk on the same machine";

    public override async Task<IReadOnlyList<Comparison>> MeasureAsync(PeerBench bench)
    {
        await using var endpoint = await Endpoint.StartAsync(0);
        var url = new Uri(endpoint.Url, "/v1/chat/completions").ToString();
        await WrkAsync(url, 2);
        return [new Comparison { Measure = Title, Ours = Rate((await WrkAsync(url, 10)).Output), Target = Target.AtLeast(10_000), Note = $"{Environment.ProcessorCount} cores for both" }];
    }

    private static Task<FinishedProcess> WrkAsync(string url, int seconds) =>
        FinishedProcess.RunAsync("wrk", ["-t2", "-c100", $"-d{seconds}s", "-s", Path.Join(AppContext.BaseDirectory, "scripts", "post.lua"), url]);

    private static Figure Rate(string said)
    {
        if (Trouble().Match(said) is { Success: true } trouble)
            return Figure.Missing(trouble.Value.Trim());
        return PerSecond().Match(said) is { Success: true } rate
            ? Figure.Of(double.Parse(rate.Groups[1].Value, CultureInfo.InvariantCulture), "/s")
            : Figure.Missing("wrk says no requests per second");
    }

    [GeneratedRegex(@"Requests/sec:\s*([\d.]+)")]
    private static partial Regex PerSecond();

    [GeneratedRegex("(Non-2xx|Socket errors).*")]
    private static partial Regex Trouble();
}
