using Microsoft.Extensions.Logging;

namespace LlmPipeline;

/// <summary>The store of a run. The one in the process starts while the file is being checked.</summary>
internal sealed class RunStore : IAsyncDisposable
{
    private readonly Func<Task<RunRedis>> _open;
    private Task<RunRedis>? _opening;

    public RunStore(RunOptions options, ILoggerFactory loggers, CancellationToken cancellationToken)
    {
        _open = () => RunRedis.OpenAsync(options.Redis, TimeProvider.System, loggers, cancellationToken);
        if (options.Redis is null && !options.Check && options.Inputs.All(input => input == StandardInput.Name || File.Exists(input)))
            _opening = _open();
    }

    /// <summary>The store, when it has started.</summary>
    /// <exception cref="CliException">As <see cref="RunRedis.OpenAsync"/>.</exception>
    public Task<RunRedis> OpenAsync() => _opening ??= _open();

    public async ValueTask DisposeAsync()
    {
        if (_opening is null)
            return;
        // Whoever needed it was told why it did not start.
        await ((Task)_opening).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (_opening.IsCompletedSuccessfully)
            await (await _opening.ConfigureAwait(false)).DisposeAsync().ConfigureAwait(false);
    }
}
