using System.CommandLine;
using Microsoft.Extensions.Logging;

namespace LlmPipeline;

/// <summary><c>llmpipe work</c>.</summary>
internal static class WorkCommand
{
    private const string Help =
        """
        Work for a fleet: claim prompts from a Redis, call the LLM, store the completions, until stopped.

        A worker serves every queue on the Redis that it has a deployment for, new ones too. Start as many as you like, on as many
        machines as you like. Ctrl+C or SIGTERM stops claiming and sending: prompts that are not sent are given back at once, calls in
        flight have up to 10 s to finish (the setting DrainTimeout), what is left is given back too, and it ends with 0.

        The endpoints come from llmpipe.json, or from OPENAI_BASE_URL / OPENAI_API_KEY, or from AZURE_OPENAI_ENDPOINT /
        AZURE_OPENAI_API_KEY. A worker needs one: it never makes answers up.

        Examples:
          OPENAI_API_KEY=… llmpipe work --redis redis.internal:6379
          llmpipe work --redis rediss://user:password@redis.internal:6380/0 \
            --concurrency 200 --config worker.json
        """;

    public static Command Create()
    {
        var redis = new Option<string?>("--redis") { Description = "The Redis: HOST:PORT, redis://… or a StackExchange.Redis configuration. Default: the setting Redis, else 127.0.0.1:6379.", HelpName = "R" };
        var concurrency = RunCommand.Number("--concurrency", "Calls at the same time. Default: 32.", "N", 1, 100_000);
        var fallback = RunCommand.Fallback();
        var metrics = new Option<string?>("--metrics") { Description = "Serve /metrics for Prometheus, /health and /ready there, without keys.", HelpName = "HOST:PORT" };
        var config = new Option<string?>("--config") { Description = "Settings; default: llmpipe.json in the working directory.", HelpName = "FILE" };
        var logFormat = CommandLog.Option();
        var command = new Command("work", Help) { redis, concurrency, fallback, metrics, config, logFormat };
        command.SetAction(async (parsed, _) =>
        {
            using var log = new CommandLog(CommandLog.Format(parsed.GetRequiredValue(logFormat)), Console.Error);
            return await log.RunAsync(() => ExecuteAsync(
                log, Settings.Load(parsed.GetValue(config)), parsed.GetValue(redis), parsed.GetValue(concurrency), parsed.GetValue(fallback) ?? [],
                parsed.GetValue(metrics))).ConfigureAwait(false);
        });
        return command;
    }

    private static async Task<int> ExecuteAsync(CommandLog log, Settings settings, string? address, int? concurrency, string[] fallbacks, string? metrics)
    {
        ProcessLimits.Check();
        using var interrupt = new Interrupt(ExitCodes.Done);
        var loggers = log.Loggers;
        var llm = RunEndpoints.Known(settings, fallbacks);
        if (llm.Deployments.Count == 0)
            throw CliException.Usage("a worker needs an endpoint: set OPENAI_BASE_URL, OPENAI_API_KEY or AZURE_OPENAI_ENDPOINT, or Deployments in llmpipe.json");
        if (llm.Faults() is { Count: > 0 } faults)
            throw CliException.Usage(string.Join('\n', faults));
        log.Say(SettingsLine.Of(settings, llm.Deployments));
        var time = TimeProvider.System;
        await using var redis = await RunRedis.OpenAsync(address ?? settings.Redis ?? "127.0.0.1:6379", time, loggers, interrupt.Token).ConfigureAwait(false);
        var queue = new PromptQueue(redis.Connections, settings.Queue(), time);
        var results = new ResultStore(redis.Connections, settings.Results(), time);
        await using var caller = new LlmCaller(llm, new PromptFunctionSource(queue).FindAsync, time, loggers, fleet: () => redis.Connections);
        var options = new WorkerOptions { Concurrency = concurrency ?? settings.Concurrency ?? 32, MaxMemoryShare = settings.MaxMemoryShare };
        options.QueueIdleTimeout = settings.QueueIdleTimeout ?? options.QueueIdleTimeout;
        options.DrainTimeout = settings.DrainTimeout ?? options.DrainTimeout;
        await using var worker = new WorkerProcess(redis.Connections, queue, results, caller, options, time, loggers);
        await using var monitoring = await WorkMonitoring.StartAsync(metrics, redis.Connections, queue, caller, time, log).ConfigureAwait(false);
        await using var reporter = DeploymentReporter.Start(new DeploymentReports(redis.Connections, queue.Options.KeyPrefix, time), caller, options.Name, time, loggers.CreateLogger<DeploymentReporter>(), () => worker.Counts);
        worker.ServeAll();
        log.Say($"working on {redis.Connections.Name} as {options.Name}, up to {options.Concurrency} calls at a time; Ctrl+C stops");
        await Task.WhenAny(worker.Failed, Task.Delay(Timeout.Infinite, interrupt.Token)).ConfigureAwait(false);
        await worker.StopAsync(CancellationToken.None).ConfigureAwait(false);
        if (worker.Failed.IsFaulted)
            await worker.Failed.ConfigureAwait(false);
        return ExitCodes.Done;
    }
}
