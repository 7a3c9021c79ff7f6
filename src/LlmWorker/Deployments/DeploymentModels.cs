using System.Threading.RateLimiting;
using Microsoft.Extensions.Logging;

namespace LlmPipeline;

/// <summary>
/// The provider models of a deployment, each with limits, a gate and a circuit of its own, in a bounded number. Configured limits bound all
/// of them together, unless <see cref="DeploymentOptions.LimitScope"/> says otherwise. Safe for threads.
/// </summary>
internal sealed class DeploymentModels : IAsyncDisposable
{
    private const int MostModels = 256;

    private readonly Lock _lock = new();
    private readonly Dictionary<string, DeploymentModel> _models = new(StringComparer.Ordinal);
    private readonly DeploymentOptions _options;
    private readonly Func<string?, IQuotaLedger> _ledger;
    private readonly LlmOptions _llm;
    private readonly Action _onRoom;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly RequestTokenLimiter? _shared;
    private readonly bool _isFleet;

    /// <param name="options">The deployment's.</param>
    /// <param name="fleet">The Redis where a fleet shares its quota; null for a quota of this process alone.</param>
    /// <param name="llm">How calls are made; its deployments are ignored.</param>
    /// <param name="onRoom">Called when there may be room again.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">Logs gates and circuits.</param>
    public DeploymentModels(
        DeploymentOptions options, Func<RedisConnections>? fleet, LlmOptions llm, Action onRoom, TimeProvider time, ILogger logger)
    {
        _options = options;
        _isFleet = fleet is not null;
        _ledger = model => fleet is null ? new MemoryLedger(time) : Ledger(fleet, QuotaAccount.Of(options, model));
        (_llm, _onRoom, _time, _logger) = (llm, onRoom, time, logger);
        if (options.ServesAll && options.LimitScope == LimitScope.Deployment && !Configured.IsNone)
            _shared = Limiter(null);
    }

    /// <summary>All of them.</summary>
    public IReadOnlyList<KeyValuePair<string, DeploymentModel>> All
    {
        get
        {
            lock (_lock)
                return [.. _models];
        }
    }

    private QuotaAmount Configured => new(_options.RequestsPerMinute ?? 0, _options.TokensPerMinute ?? 0);

    // With one model alone its own limits are all there is; other workers of a fleet may call other models.
    private RequestTokenLimiter? Shared => _shared is not null && (_isFleet || _models.Count > 1) ? _shared : null;

    /// <summary>The model of this name.</summary>
    /// <param name="model">What the provider calls it.</param>
    public DeploymentModel Of(string model)
    {
        DeploymentModel? dropped = null;
        DeploymentModel one;
        lock (_lock)
        {
            if (!_models.TryGetValue(model, out one!))
            {
                if (_models.Count >= MostModels)
                {
                    var (name, oldest) = _models.MinBy(pair => pair.Value.LastUsed);
                    _models.Remove(name);
                    dropped = oldest;
                }

                var isOnly = !_options.ServesAll;
                one = new DeploymentModel(
                    isOnly ? $"Deployment {_options.Name}" : $"Deployment {_options.Name} (model {model})",
                    Limiter(model),
                    _time,
                    _logger);
                _models.Add(model, one);
            }

            one.LastUsed = _time.GetTimestamp();
        }

        // Calls that wait for it fail as not sent, and are tried again.
        if (dropped is not null)
            _ = dropped.DisposeAsync().AsTask();
        return one;
    }

    /// <summary>Waits for a call's turn within all limits that concern it.</summary>
    /// <exception cref="QuotaClosedException">The gate stays closed for longer than a call waits.</exception>
    public async ValueTask<QuotaLease> AcquireAsync(DeploymentModel model, TokenEstimate estimate, CancellationToken cancellationToken)
    {
        // Last what the provider counts: the call is sent right after.
        var shared = Shared is { } limiter ? await AcquireAsync(limiter, estimate, cancellationToken).ConfigureAwait(false) : null;
        try
        {
            return new QuotaLease(await AcquireAsync(model.Quota, estimate, cancellationToken).ConfigureAwait(false), shared);
        }
        catch
        {
            shared?.GiveBack();
            throw;
        }
    }

    /// <summary>About how many more calls the limits will admit within the horizon.</summary>
    public int Room(DeploymentModel model, TimeSpan horizon)
    {
        var room = model.Quota.Room(horizon);
        return Shared is { } shared ? Math.Min(room, shared.Room(horizon)) : room;
    }

    /// <summary>How long until <see cref="Room"/> is likely to be above 0.</summary>
    public TimeSpan UntilRoom(DeploymentModel model, TimeSpan horizon)
    {
        var own = model.Quota.UntilRoom(horizon);
        return Shared is { } shared && shared.UntilRoom(horizon) is var both && both > own ? both : own;
    }

    /// <summary>Whether tokens are limited, so that an estimate is worth its cost.</summary>
    public bool CountsTokens(DeploymentModel model) => model.Quota.CountsTokens || Shared is { CountsTokens: true };

    /// <summary>The limits in force for the deployment as a whole, for people; 0 for none.</summary>
    public QuotaAmount Limits()
    {
        if (_shared is not null)
            return _models.Count == 1 ? All[0].Value.Quota.Limits : _shared.Limits;
        var all = All;
        if (all.Count == 0)
            return Configured;
        return all.Count == 1 ? all[0].Value.Quota.Limits : default;
    }

    /// <summary>The limit that the next call of some model waits for; null while none keeps any.</summary>
    public QuotaLimit? Limiting => All.Select(one => one.Value.Quota.Limiting).FirstOrDefault(limit => limit is not null) ?? _shared?.Limiting;

    public async ValueTask DisposeAsync()
    {
        foreach (var (_, model) in All)
            await model.DisposeAsync().ConfigureAwait(false);
        if (_shared is not null)
            await _shared.DisposeAsync().ConfigureAwait(false);
    }

    private static async ValueTask<RequestTokenLease> AcquireAsync(
        RequestTokenLimiter limiter, TokenEstimate estimate, CancellationToken cancellationToken)
    {
        var lease = await limiter.AcquireAsync(estimate, cancellationToken).ConfigureAwait(false);
        if (lease.IsAcquired)
            return lease;
        throw new QuotaClosedException(lease.TryGetMetadata(MetadataName.RetryAfter, out var wait) ? wait : TimeSpan.Zero);
    }

    private RedisLedger Ledger(Func<RedisConnections> fleet, QuotaAccount account) => new(fleet, account.Name, _llm.QuotaPrefix, account.EarlierName, _time);

    /// <param name="model">What the provider calls it; null for all models together.</param>
    private RequestTokenLimiter Limiter(string? model)
    {
        var limiter =
            new RequestTokenLimiter(_ledger(model), Configured, _llm.MaxInlineWait, _time, _logger) { MaxRetryAfter = _llm.MaxRetryAfter };
        limiter.Changed += _onRoom;
        return limiter;
    }
}
