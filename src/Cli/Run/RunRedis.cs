using Microsoft.Extensions.Logging;

namespace LlmPipeline;

/// <summary>The store that a run works on: the one in the process, or a Redis that others use too.</summary>
internal sealed class RunRedis : IAsyncDisposable
{
    private readonly EmbeddedRedis? _embedded;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;

    private RunRedis(RedisConnections connections, EmbeddedRedis? embedded, TimeProvider time, ILogger logger)
    {
        Connections = connections;
        _embedded = embedded;
        _time = time;
        _logger = logger;
    }

    public RedisConnections Connections { get; }

    /// <summary>Gets a line when the store is away.</summary>
    public ILogger Logger => _logger;

    /// <summary>True for a Redis that outlives the run: its results are kept there.</summary>
    public bool IsShared => _embedded is null;

    /// <summary>Connects to <paramref name="address"/>, or starts the store in the process when it is null.</summary>
    /// <param name="address">Its address.</param>
    /// <param name="time">The clock.</param>
    /// <param name="loggers">Where it logs.</param>
    /// <param name="cancellationToken">Ends it with an exception.</param>
    /// <param name="patience">How long calls are repeated: a server of others says "not now" to them.</param>
    /// <exception cref="CliException">The address is none, or nothing answers there.</exception>
    public static async Task<RunRedis> OpenAsync(string? address, TimeProvider time, ILoggerFactory loggers, CancellationToken cancellationToken,
        RedisPatience patience = RedisPatience.UntilAnswered)
    {
        EmbeddedRedis? embedded = null;
        if (address is null)
        {
            embedded = await EmbeddedRedis.StartAsync(null, cancellationToken).ConfigureAwait(false);
            address = embedded.Configuration;
        }

        try
        {
            var connections = await RedisConnections.ConnectAsync(
                RedisAddress.Parse(address), time, loggers.CreateLogger<RedisConnections>(), patience, cancellationToken).ConfigureAwait(false);
            return new RunRedis(connections, embedded, time, loggers.CreateLogger<RunRedis>());
        }
        catch (Exception e) when (e is FormatException or RedisUnreachableException)
        {
            if (embedded is not null)
                await embedded.DisposeAsync().ConfigureAwait(false);
            throw e is RedisUnreachableException { IsSetting: true } ? CliException.Usage(e.Message)
                : e is FormatException ? CliException.Usage($"--redis: {e.Message}") : CliException.Broke(e.Message);
        }
    }

    /// <summary>Repeats a call until Redis answers it.</summary>
    public Task<T> AnsweredAsync<T>(Func<Task<T>> call, CancellationToken cancellationToken) =>
        RedisRetry.UntilAnsweredAsync(_ => call(), Connections.MayPass, _time, _logger, cancellationToken);

    /// <summary>The same for a call without an answer.</summary>
    public Task DoneAsync(Func<Task> call, CancellationToken cancellationToken) => AnsweredAsync(
        () => RedisRetry.DoneAsync(call()),
        cancellationToken);

    public async ValueTask DisposeAsync()
    {
        await Connections.DisposeAsync().ConfigureAwait(false);
        if (_embedded is not null)
            await _embedded.DisposeAsync().ConfigureAwait(false);
    }
}
