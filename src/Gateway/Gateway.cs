using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace LlmPipeline;

/// <summary>HTTP in the shape of OpenAI's API before the queue of a fleet.</summary>
public sealed class Gateway : IAsyncDisposable
{
    /// <summary>
    /// Where the API lies: as OpenAI has it, and as Azure does. Clients that are given a base URL with a deployment send all their calls
    /// below it, those of files too.
    /// </summary>
    private static readonly string[] Prefixes = ["/v1", "/openai", "/openai/v1", $"/openai/deployments/{{{CallEndpoints.Deployment}}}"];

    // Of bodies that are neither files nor jobs.
    private const long MaxBodyBytes = 1024 * 1024;

    private readonly WebApplication _app;
    private readonly GatewayDuties _duties;

    private Gateway(WebApplication app, GatewayDuties duties)
    {
        _app = app;
        _duties = duties;
    }

    /// <summary>What it serves: method and path.</summary>
    internal IEnumerable<(string Method, string Path)> Routes =>
        from endpoint in ((IEndpointRouteBuilder)_app).DataSources.SelectMany(source => source.Endpoints).OfType<RouteEndpoint>()
        from method in endpoint.Metadata.GetMetadata<HttpMethodMetadata>()!.HttpMethods
        select (method, endpoint.RoutePattern.RawText!);

    /// <summary>Where it listens, as clients name it.</summary>
    public IReadOnlyCollection<string> Addresses => [.. _app.Urls];

    /// <summary>Ends with an error when the gateway can't go on.</summary>
    public Task Failed => _duties.Failed;

    /// <summary>Listens, and takes batches on.</summary>
    /// <exception cref="GatewaySettingsException">An address or the folder can't be used, or is not safe without keys.</exception>
    /// <exception cref="IOException">A port is taken.</exception>
    public static async Task<Gateway> StartAsync(GatewayParts parts, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(parts);
        if (parts.Options.Faults() is { Count: > 0 } faults)
            throw new GatewaySettingsException(string.Join('\n', faults));
        var keys = new ApiKeys(parts.Options.ApiKeys);
        GatewayUrl.Check(parts.Urls, keys);
        var folder = FileFolder.Open(parts.Options.Files);
        var app = Build(parts);
        var duties = new GatewayDuties();
        Map(app, parts, keys, folder, duties);
        try
        {
            await app.StartAsync(cancellationToken);
        }
        catch
        {
            await app.DisposeAsync();
            throw;
        }

        duties.Start();
        return new Gateway(app, duties);
    }

    /// <summary>Takes no more calls, lets running ones finish, and hands open batches over to other gateways.</summary>
    /// <param name="patience">How long running calls may take.</param>
    public async Task StopAsync(TimeSpan patience)
    {
        using var enough = new CancellationTokenSource(patience);
        await Task.WhenAll(_duties.StopAsync(), _app.StopAsync(enough.Token));
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _duties.StopAsync();
        await _app.DisposeAsync();
    }

    // Nothing is taken from the working directory or from ASPNETCORE_…: the settings of llmpipe are all there is.
    private static WebApplication Build(GatewayParts parts)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ApplicationName = "llmpipe" });
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = MaxBodyBytes;
        });
        builder.WebHost.UseUrls([.. parts.Urls]);
        builder.Services.AddRoutingCore();
        builder.Services.AddMonitoring("serve");
        builder.Services.Replace(ServiceDescriptor.Singleton<IHostLifetime, NoLifetime>());
        builder.Services.Replace(ServiceDescriptor.Singleton(parts.Loggers));
        return builder.Build();
    }

    private static void Map(WebApplication app, GatewayParts parts, ApiKeys keys, FileFolder folder, GatewayDuties duties)
    {
        var (redis, options, loggers) = (parts.Redis, parts.Options, parts.Loggers);
        var records = new FileRecords(redis, parts.Queue.Options.KeyPrefix);
        var batches = new BatchRecords(redis, parts.Queue.Options.KeyPrefix);
        var live = new LiveOutput(batches, parts.Queue, parts.Results, parts.Time);
        var files = new FileEndpoints(new FileUpload(folder, records, options, parts.Time), records, folder, live);
        var tools = new BatchTools(
            new BatchInput(folder, options, parts.Queue.Options.MaxJobBytes),
            new BatchEnqueuer(parts),
            new BatchWriter(parts.Results, folder));
        var drivers = new BatchDrivers(batches, records, tools, parts);
        duties.Add(drivers.RunAsync);
        duties.Add(new BatchExpiry(batches, records, redis.Clock, parts.Queue.Options.BatchTtl, parts.Time, loggers.CreateLogger<BatchExpiry>()).RunAsync);
        duties.Add(new FileKeeper(records, folder, redis.Clock, options, parts.Time, loggers.CreateLogger<FileKeeper>()).RunAsync);

        var batchEndpoints = new BatchEndpoints(batches, drivers, new BatchDeleter(batches, records, folder, parts), parts);
        var budget = new ByteBudget(options.MaxBufferedBytesPerKey, options.MaxBufferedBytes, parts.Time);
        var calls = new CallEndpoints(parts, budget, loggers.CreateLogger<CallEndpoints>());
        var desk = new JobDesk(new JobRecords(redis, parts.Queue.Options.KeyPrefix, parts.Results.Options.Ttl), parts);
        var jobs = new JobEndpoints(
            desk,
            new JobReader(new PromptFunctionFinder(), parts.Queue.Options),
            budget,
            parts.Queue.Options.MaxJobBytes,
            parts.Time,
            duties.Stopping);
        var models = new ModelEndpoints(parts.Models);
        app.Use(RequestId.InvokeAsync);
        app.Use(new ErrorHandler(loggers.CreateLogger<ErrorHandler>()).InvokeAsync);
        app.Use(RequestShape.InvokeAsync);
        // Here, because middleware before it may change the path.
        app.UseRouting();
        // Without a key, as collectors have it: it tells names and counts.
        app.UseMetrics();
        app.Use(new AccessGate(keys).InvokeAsync);
        new HealthEndpoints(redis, folder, duties.Stopping).Map(app);
        OpenApiEndpoint.Map(app);
        foreach (var prefix in Prefixes)
        {
            var api = app.MapGroup(prefix);
            files.Map(api);
            batchEndpoints.Map(api);
            calls.Map(api);
            models.Map(api);
            jobs.Map(api);
        }
    }
}
