using System.CommandLine;
using Microsoft.Extensions.Logging;

namespace LlmPipeline;

/// <summary>Makes the commands that act on the Redis of a fleet: all of them have <c>--redis</c>, <c>--config</c> and <c>--json</c>.</summary>
internal static class FleetCommand
{
    public const string DefaultRedis = "127.0.0.1:6379";

    /// <summary>A command that does something.</summary>
    /// <param name="name">As it is typed.</param>
    /// <param name="help">What it does, with examples.</param>
    /// <param name="symbols">Its own arguments and options.</param>
    /// <param name="act">What it does; returns the exit code.</param>
    /// <param name="interrupted">The exit code after Ctrl+C.</param>
    public static Command Create(
        string name, string help, IReadOnlyList<Symbol> symbols, Func<FleetCall, CancellationToken, Task<int>> act, int interrupted = ExitCodes.Interrupted)
    {
        var command = new Command(name, help);
        foreach (var symbol in symbols)
        {
            if (symbol is Argument argument)
                command.Add(argument);
            else
                command.Add((Option)symbol);
        }

        var redis = new Option<string?>("--redis") { Description = "The Redis: HOST:PORT, redis://… or a StackExchange.Redis configuration. Default: the setting Redis, else 127.0.0.1:6379.", HelpName = "R" };
        var json = new Option<bool>("--json") { Description = "JSON on standard output." };
        var config = new Option<string?>("--config") { Description = "Settings; default: llmpipe.json in the working directory.", HelpName = "FILE" };
        command.Add(redis);
        command.Add(json);
        command.Add(config);
        command.SetAction((line, _) => RunAsync(line, Settings.Load(line.GetValue(config)), line.GetValue(redis), line.GetValue(json), act, interrupted));
        return command;
    }

    /// <summary>A command that only has others below it: alone it tells which.</summary>
    public static Command Group(string name, string help, params Command[] commands)
    {
        var group = new Command(name, help);
        foreach (var command in commands)
            group.Add(command);
        group.SetAction(line =>
        {
            line.InvocationConfiguration.Output = Console.Error;
            RootHelp.OfCommands(Console.IsErrorRedirected).Invoke(line);
            return ExitCodes.Usage;
        });
        return group;
    }

    private static async Task<int> RunAsync(
        ParseResult line, Settings settings, string? redis, bool json, Func<FleetCall, CancellationToken, Task<int>> act, int interrupted)
    {
        using var interrupt = new Interrupt(interrupted);
        using var loggers = StderrLoggerProvider.Loggers(Console.Error.WriteLine);
        try
        {
            var call = new FleetCall { Line = line, Settings = settings, Redis = redis ?? settings.Redis ?? DefaultRedis, Json = json, Loggers = loggers };
            return await act(call, interrupt.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (interrupt.Token.IsCancellationRequested)
        {
            return interrupted;
        }
    }
}
