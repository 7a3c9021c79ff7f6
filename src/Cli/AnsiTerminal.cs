using Spectre.Console;

namespace LlmPipeline;

/// <summary>The terminal of an output of this process, as Spectre.Console sees it.</summary>
internal static class AnsiTerminal
{
    /// <summary>Null where the output is no terminal, or one that shows plain text only (<c>TERM=dumb</c>).</summary>
    /// <param name="output">Standard output or standard error.</param>
    /// <param name="isRedirected">Whether it is a file or a pipe.</param>
    public static IAnsiConsole? Of(TextWriter output, bool isRedirected)
    {
        if (isRedirected || Environment.GetEnvironmentVariable("TERM") == "dumb")
            return null;
        var terminal = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(output) });
        return terminal.Profile.Capabilities.Ansi ? terminal : null;
    }
}
