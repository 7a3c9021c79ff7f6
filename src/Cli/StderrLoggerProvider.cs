using Microsoft.Extensions.Logging;

namespace LlmPipeline;

/// <summary>Messages of a level and above as plain lines on standard error.</summary>
internal sealed class StderrLoggerProvider(Action<string> write, LogLevel least = LogLevel.Warning) : ILoggerProvider
{
    /// <summary>A factory of loggers that write through one of these. By its constructor: the builder's container would cost a command's start a tenth of its time.</summary>
    public static LoggerFactory Loggers(Action<string> write, LogLevel least = LogLevel.Warning) =>
        new([new StderrLoggerProvider(write, least)], new LoggerFilterOptions { MinLevel = least });

    public ILogger CreateLogger(string categoryName) => new StderrLogger(write, least);

    public void Dispose()
    {
    }

    private sealed class StderrLogger(Action<string> write, LogLevel least) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= least;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (IsEnabled(logLevel))
            {
                var cause = exception is null ? "" : $" ({exception.GetType().Name}: {exception.Message.Split('\n')[0]})";
                write(SafeText.Printable($"llmpipe: {formatter(state, exception)}{cause}"));
            }
        }
    }
}
