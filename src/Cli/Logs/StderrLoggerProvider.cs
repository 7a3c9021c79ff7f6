using Microsoft.Extensions.Logging;

namespace LlmPipeline;

/// <summary>Messages of a level and above as lines with time and level, for standard error.</summary>
internal sealed class StderrLoggerProvider(Action<string> write, LogFormat format, LogLevel least) : ILoggerProvider
{
    /// <summary>A factory of loggers that write through one of these. By its constructor: the builder's container would cost a command's start a tenth of its time.</summary>
    /// <param name="write">Gets each line.</param>
    /// <param name="least">The least level; of ASP.NET, which logs each request at a lower one, never below a warning.</param>
    /// <param name="format">How lines are written.</param>
    public static LoggerFactory Loggers(Action<string> write, LogLevel least = LogLevel.Warning, LogFormat format = LogFormat.Text)
    {
        var filter = new LoggerFilterOptions { MinLevel = least };
        filter.Rules.Add(new LoggerFilterRule(null, "Microsoft", LogLevel.Warning, null));
        return new LoggerFactory([new StderrLoggerProvider(write, format, least)], filter);
    }

    public ILogger CreateLogger(string categoryName) => new StderrLogger(write, format, least, categoryName);

    public void Dispose()
    {
    }

    private sealed class StderrLogger(Action<string> write, LogFormat format, LogLevel least, string category) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= least;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (!IsEnabled(logLevel))
                return;
            var error = exception is null ? null : $"{exception.GetType().Name}: {exception.Message.Split('\n')[0]}";
            write(LogLine.Of(format, TimeProvider.System.GetUtcNow(), logLevel, formatter(state, exception), category, error));
        }
    }
}
