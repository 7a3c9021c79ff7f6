using System.CommandLine;
using Microsoft.Extensions.Logging;

namespace LlmPipeline;

/// <summary><c>llmpipe serve</c>.</summary>
internal static class ServeCommand
{
    private const string DefaultUrl = "http://127.0.0.1:5080";

    private const string Help =
        """
        Serve OpenAI's API before the Redis of a fleet: synchronous calls, files and batches, and jobs to wait for (GET /openapi.json
        tells all). The official SDKs work with only the base URL changed.

        Workers (llmpipe work) make the calls; a gateway makes none. Start as many gateways as you like on one Redis and one folder of
        files: they behave as one, and take over each other's batches. Ctrl+C or SIGTERM lets running calls finish for up to 10 s (the
        setting DrainTimeout) and ends with 0.

        Callers bring a key of the setting Gateway:ApiKeys; each key has files, batches and jobs of its own. Without keys a gateway listens
        on this machine only.

        Examples:
          llmpipe serve --redis redis.internal:6379 --files /srv/llmpipe
          LLMPIPE__Gateway__ApiKeys__0=sha256:… llmpipe serve --redis redis.internal:6379 --urls http://0.0.0.0:5080
        """;

    public static Command Create()
    {
        var redis = new Option<string?>("--redis") { Description = "The Redis: HOST:PORT, redis://… or a StackExchange.Redis configuration. Default: the setting Redis, else 127.0.0.1:6379.", HelpName = "R" };
        var urls = new Option<string>("--urls") { Description = "Where to listen, several separated by semicolons; port 0 takes a free one.", HelpName = "URL", DefaultValueFactory = _ => DefaultUrl };
        var files = new Option<string?>("--files") { Description = "The folder of the files, shared by all gateways on this Redis. Default: the setting Gateway:Files, else llmpipe-files.", HelpName = "DIR" };
        var config = new Option<string?>("--config") { Description = "Settings; default: llmpipe.json in the working directory.", HelpName = "FILE" };
        var logFormat = CommandLog.Option();
        var command = new Command("serve", Help) { redis, urls, files, config, logFormat };
        command.SetAction(async (parsed, _) =>
        {
            using var log = new CommandLog(CommandLog.Format(parsed.GetRequiredValue(logFormat)), Console.Error);
            return await log.RunAsync(() => ExecuteAsync(
                log, Settings.Load(parsed.GetValue(config)), parsed.GetValue(redis), parsed.GetRequiredValue(urls), parsed.GetValue(files))).ConfigureAwait(false);
        });
        return command;
    }

    private static async Task<Gateway> StartAsync(GatewayParts parts, CancellationToken cancellationToken)
    {
        try
        {
            return await Gateway.StartAsync(parts, cancellationToken).ConfigureAwait(false);
        }
        catch (IOException e)
        {
            // The port is taken, or the address is not this machine's.
            throw CliException.Broke(e.Message);
        }
    }

    private static async Task<int> ExecuteAsync(CommandLog log, Settings settings, string? address, string urls, string? files)
    {
        ProcessLimits.Check();
        using var interrupt = new Interrupt(ExitCodes.Done);
        var loggers = log.Loggers;
        var options = settings.Gateway;
        options.Files = files ?? options.Files;
        var time = TimeProvider.System;
        await using var redis = await RunRedis.OpenAsync(address ?? settings.Redis ?? FleetCommand.DefaultRedis, time, loggers, interrupt.Token, RedisPatience.Bounded).ConfigureAwait(false);
        await using var gateway = await StartAsync(
            new GatewayParts
            {
                Redis = redis.Connections,
                Queue = new PromptQueue(redis.Connections, settings.Queue(), time),
                Results = new ResultStore(redis.Connections, settings.Results(), time),
                Options = options,
                Urls = urls.Split(';', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries),
                MaxAttempts = settings.MaxAttempts ?? 8,
                AttemptTimeout = settings.AttemptTimeout,
                Time = time,
                Loggers = loggers,
            },
            interrupt.Token).ConfigureAwait(false);
        await using var gauge = new QueueGauge(new PromptQueue(redis.Connections.Once, settings.Queue(), time), time, loggers.CreateLogger<QueueGauge>());
        log.Say($"serving on {string.Join(", ", gateway.Addresses)}, Redis at {redis.Connections.Name}, files in {Path.GetFullPath(options.Files)}; Ctrl+C stops");
        await Task.WhenAny(gateway.Failed, Task.Delay(Timeout.Infinite, interrupt.Token)).ConfigureAwait(false);
        log.Say("stopping");
        await gateway.StopAsync(settings.DrainTimeout ?? TimeSpan.FromSeconds(10)).ConfigureAwait(false);
        if (gateway.Failed.IsFaulted)
            await gateway.Failed.ConfigureAwait(false);
        return ExitCodes.Done;
    }
}
