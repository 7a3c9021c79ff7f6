using System.CommandLine;

namespace LlmPipeline;

/// <summary>Says on standard error what went wrong, in a line or two, and gives the exit code.</summary>
internal static class Complaint
{
    /// <summary>The command line could not be understood.</summary>
    public static int Of(ParseResult line, IReadOnlyList<string> faults)
    {
        foreach (var fault in faults.Take(2))
            Write(fault);
        Console.Error.WriteLine($"llmpipe: see {UsageErrors.Path(line.CommandResult.Command)} --help");
        return ExitCodes.Usage;
    }

    /// <summary>A command ended with an exception.</summary>
    public static int Of(Exception e) => Of(e, Write);

    /// <summary>A command ended with an exception.</summary>
    /// <param name="e">The exception.</param>
    /// <param name="say">Gets each line, as it came.</param>
    /// <returns>The exit code.</returns>
    public static int Of(Exception e, Action<string> say)
    {
        var known = CliException.From(e);
        foreach (var line in (known?.Message ?? $"{e.GetType().Name}: {e.Message}").Split('\n'))
            say(line.TrimEnd());
        if (Environment.GetEnvironmentVariable("LLMPIPE_DEBUG") == "1")
            Console.Error.WriteLine(SafeText.Printable(e.ToString(), keepLineFeeds: true));
        else if (known is null)
            say("this should not happen; LLMPIPE_DEBUG=1 shows where it did");
        return known?.ExitCode ?? ExitCodes.Broke;
    }

    private static void Write(string line) => Console.Error.WriteLine(TerminalText.ForError($"llmpipe: {SafeText.Printable(line)}"));
}
