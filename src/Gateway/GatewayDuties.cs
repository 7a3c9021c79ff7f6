namespace LlmPipeline;

/// <summary>What a gateway does beside answering calls: each duty runs until it is stopped.</summary>
internal sealed class GatewayDuties
{
    private readonly CancellationTokenSource _stop = new();
    private readonly List<Func<CancellationToken, Task>> _duties = [];
    private Task _running = Task.CompletedTask;

    /// <summary>Cancelled when the gateway is being stopped.</summary>
    public CancellationToken Stopping => _stop.Token;

    public void Add(Func<CancellationToken, Task> duty) => _duties.Add(duty);

    public void Start() => _running = Task.WhenAll(_duties.Select(duty => Task.Run(() => duty(_stop.Token))));

    /// <summary>Ends when all have ended; may be called again.</summary>
    public async Task StopAsync()
    {
        await _stop.CancelAsync();
        await _running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }
}
