using System.Text.RegularExpressions;

namespace LlmPipeline;

/// <summary>A gateway as a process of its own: <c>llmpipe serve</c>. Killed at the end at the latest.</summary>
internal sealed partial class GatewayProcess : IAsyncDisposable
{
    private GatewayProcess(WorkProcess process) => Process = process;

    public WorkProcess Process { get; }

    /// <summary>Where it listens.</summary>
    public Uri Address { get; private set; } = null!;

    /// <summary>Starts one and waits until it serves.</summary>
    public static async Task<GatewayProcess> StartAsync(Llmpipe llmpipe, string redis, string files)
    {
        var gateway = new GatewayProcess(new WorkProcess(llmpipe.Start("serve", "--redis", redis, "--urls", "http://127.0.0.1:0", "--files", files)));
        await Eventually.HoldsAsync(() => Task.FromResult(gateway.Process.HasExited || Serving().IsMatch(gateway.Process.Said)), "the gateway serves", TimeSpan.FromSeconds(60));
        Assert.False(gateway.Process.HasExited, gateway.Process.Said);
        gateway.Address = new Uri(Serving().Match(gateway.Process.Said).Groups[1].Value);
        return gateway;
    }

    public ValueTask DisposeAsync() => Process.DisposeAsync();

    [GeneratedRegex("serving on (http://[0-9.:]+),")]
    private static partial Regex Serving();
}
