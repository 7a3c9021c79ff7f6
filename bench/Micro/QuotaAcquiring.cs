using BenchmarkDotNet.Attributes;
using Microsoft.Extensions.Logging.Abstractions;

namespace LlmPipeline.Bench;

/// <summary>What a call's quota costs where there is enough of it: acquired, and settled with what was used.</summary>
public class QuotaAcquiring
{
    private static readonly TokenEstimate Estimate = new(400, 100, 60);
    private RequestTokenLimiter? _limiter;

    [GlobalSetup]
    public void Start() =>
        _limiter = new RequestTokenLimiter(new MemoryLedger(TimeProvider.System), new QuotaAmount(1e12, 1e15), TimeSpan.FromSeconds(5), TimeProvider.System, NullLogger.Instance);

    [GlobalCleanup]
    public ValueTask StopAsync() => _limiter!.DisposeAsync();

    [Benchmark]
    public async Task Acquire_and_settle()
    {
        using var lease = await _limiter!.AcquireAsync(Estimate, CancellationToken.None);
        lease.Settle(450);
    }
}
