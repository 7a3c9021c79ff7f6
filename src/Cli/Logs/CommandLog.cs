using System.CommandLine;
using Microsoft.Extensions.Logging;

namespace LlmPipeline;

/// <summary>The log of a command that runs until it is stopped, on standard error.</summary>
internal sealed class CommandLog(LogFormat format, TextWriter error) : IDisposable
{
    private readonly LoggerFactory _loggers = StderrLoggerProvider.Loggers(error.WriteLine, LogLevel.Information, format);

    /// <summary>Loggers that write to it.</summary>
    public ILoggerFactory Loggers => _loggers;

    /// <summary><c>--log-format</c>.</summary>
    public static Option<string> Option()
    {
        var option = new Option<string>("--log-format") { Description = "Lines of the log: text, or json (one object a line, with time, level and message).", HelpName = "FORMAT", DefaultValueFactory = _ => "text" };
        option.AcceptOnlyFromAmong("text", "json");
        return option;
    }

    /// <summary>What <see cref="Option"/> was given.</summary>
    public static LogFormat Format(string value) => value == "json" ? LogFormat.Json : LogFormat.Text;

    /// <summary>A line of the command itself.</summary>
    public void Say(string line, LogLevel level = LogLevel.Information) =>
        error.WriteLine(LogLine.Of(format, TimeProvider.System.GetUtcNow(), level, line));

    /// <summary>Runs the command; where the log is JSON, the error that it ends with is a line of the log too.</summary>
    /// <returns>The exit code.</returns>
    public async Task<int> RunAsync(Func<Task<int>> command)
    {
        try
        {
            return await command().ConfigureAwait(false);
        }
        catch (Exception e) when (format == LogFormat.Json)
        {
            return Complaint.Of(e, line => Say(line, LogLevel.Error));
        }
    }

    public void Dispose() => _loggers.Dispose();
}
