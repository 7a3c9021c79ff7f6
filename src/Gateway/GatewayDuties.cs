namespace LlmPipeline;

/// <summary>What a gateway does beside answering calls: each duty runs until it is stopped.</summary>
internal sealed class GatewayDuties
{
    private readonly CancellationTokenSource _stop = new();
    private readonly List<Func<CancellationToken, Task>> _duties = [];
    private readonly TaskCompletionSource _failed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Task _running = Task.CompletedTask;

    /// <summary>Cancelled when the gateway is being stopped.</summary>
    public CancellationToken Stopping => _stop.Token;

    public void Add(Func<CancellationToken, Task> duty) => _duties.Add(duty);

    public void Start() => _running = Task.WhenAll(_duties.Select(duty => Task.Run(() => RunAsync(duty))));

    /// <summary>Ends with the error of a duty that broke; a gateway without it is none.</summary>
    public Task Failed => _failed.Task;

    /// <summary>Ends when all have ended; may be called again.</summary>
    public async Task StopAsync()
    {
        await _stop.CancelAsync();
        await _running;
    }

    private async Task RunAsync(Func<CancellationToken, Task> duty)
    {
        try
        {
            await duty(_stop.Token);
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // Stopped.
        }
        catch (Exception e)
        {
            _failed.TrySetException(e);
        }
    }
}
