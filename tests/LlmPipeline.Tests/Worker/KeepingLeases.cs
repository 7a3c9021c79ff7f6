using Microsoft.Extensions.Logging.Abstractions;

namespace LlmPipeline.Tests;

public sealed class KeepingLeases
{
    [Fact]
    public async Task When_Redis_is_back_they_are_renewed_at_once_and_not_with_the_next_beat()
    {
        var minutes = TimeSpan.FromMinutes(10);
        // It forgets everything, and so it answers that the lease is gone.
        await using var server = await RedisServer.StartAsync();
        await using var redis = await Stores.ConnectAsync(server.Address);
        var queue = await TestQueue.CreateAsync(redis, options => (options.Lease, options.WorkerTimeout) = (3 * minutes, 3 * minutes));
        var called = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var stopped = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var caller = new ScriptedCaller(async (_, stopping) =>
        {
            stopping.Register(stopped.SetResult);
            called.SetResult();
            await stopped.Task;
            stopping.ThrowIfCancellationRequested();
        });
        await using var worker = new WorkerProcess(
            redis, queue.Queue, new ResultStore(redis, new ResultStoreOptions(), TimeProvider.System), caller, new WorkerOptions { BeatInterval = minutes }, TimeProvider.System, NullLoggerFactory.Instance);
        await worker.StartAsync([queue.Name]);
        await queue.EnqueueRowsAsync(1, 1);
        await called.Task.WaitAsync(TimeSpan.FromSeconds(60));
        await server.KillAsync();
        await server.RestartAsync();
        await stopped.Task.WaitAsync(TimeSpan.FromSeconds(60));
    }
}
