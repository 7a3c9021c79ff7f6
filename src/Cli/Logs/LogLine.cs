using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Logging;

namespace LlmPipeline;

/// <summary>Formats a line of a log. What callers or providers wrote in it is sanitised by <see cref="SafeText"/>.</summary>
internal static class LogLine
{
    /// <summary>
    /// Text: <c>2026-01-31T12:00:00.000Z info: message</c>. JSON: an object with <c>time</c>, <c>level</c>, <c>category</c> where it is
    /// known, <c>message</c>, and <c>error</c> where there is one.
    /// </summary>
    /// <param name="format">Which of them.</param>
    /// <param name="time">When.</param>
    /// <param name="level">Of the message.</param>
    /// <param name="message">Any text.</param>
    /// <param name="category">The logger's; null for none.</param>
    /// <param name="error">The type and the message of an exception; null for none.</param>
    public static string Of(LogFormat format, DateTimeOffset time, LogLevel level, string message, string? category = null, string? error = null)
    {
        var written = time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);
        if (format == LogFormat.Text)
            return SafeText.Printable($"{written} {Name(level)}: {message}{(error is null ? "" : $" ({error})")}");
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteString("time"u8, written);
            json.WriteString("level"u8, Name(level));
            if (category is not null)
                json.WriteString("category"u8, category);
            json.WriteString("message"u8, SafeText.Printable(message));
            if (error is not null)
                json.WriteString("error"u8, SafeText.Printable(error));
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    private static string Name(LogLevel level) => level switch
    {
        LogLevel.Trace => "trace",
        LogLevel.Debug => "debug",
        LogLevel.Information => "info",
        LogLevel.Warning => "warn",
        LogLevel.Error => "error",
        _ => "critical",
    };
}
