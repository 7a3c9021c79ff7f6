using System.CommandLine;
using Microsoft.Extensions.Logging;

namespace LlmPipeline;

/// <summary>One use of a fleet's command: what was typed, and the settings.</summary>
internal sealed class FleetCall
{
    public required ParseResult Line { get; init; }

    public required Settings Settings { get; init; }

    /// <summary>The address of the Redis.</summary>
    public required string Redis { get; init; }

    /// <summary>Whether standard output is for machines.</summary>
    public required bool Json { get; init; }

    public required ILoggerFactory Loggers { get; init; }

    /// <summary>Connects.</summary>
    /// <exception cref="CliException">The address is none, or nothing answers there.</exception>
    public async Task<Fleet> OpenAsync(
        CancellationToken cancellationToken, int? partitions = null, RedisPatience patience = RedisPatience.UntilAnswered)
    {
        var time = TimeProvider.System;
        var options = Settings.Queue();
        options.Partitions = partitions ?? options.Partitions;
        var redis = await RunRedis.OpenAsync(Redis, time, Loggers, cancellationToken, patience).ConfigureAwait(false);
        return new Fleet(redis, new PromptQueue(redis.Connections, options, time), new ResultStore(redis.Connections, Settings.Results(), time), time);
    }

    /// <summary>A line for people.</summary>
    public static void Say(string text) => Console.Error.WriteLine(SafeText.Printable(text));

    /// <summary>Writes <paramref name="report"/> to standard output where JSON was asked for, else <paramref name="text"/> to standard error.</summary>
    public void Report(object report, string text)
    {
        if (Json)
            Console.Out.WriteLine(FleetJson.Of(report));
        else
            Say(text);
    }
}
