using System.CommandLine;
using System.CommandLine.Parsing;

namespace LlmPipeline;

/// <summary>What is wrong with a command line, in words for people. The parser's own errors miss some: it takes a mistyped option for an argument.</summary>
internal static class UsageErrors
{
    /// <summary>The faults, one line each; empty when the line is right or asks for help or the version.</summary>
    public static IReadOnlyList<string> Of(ParseResult line)
    {
        // First: the options of a command that is none are unknown too.
        var command = line.CommandResult.Command;
        if (command.Subcommands.Count > 0 && line.UnmatchedTokens is [var first, ..] && !first.StartsWith('-'))
            return [$"unknown command {first}; there are {string.Join(", ", command.Subcommands.Where(s => !s.Hidden).Select(s => s.Name))}"];
        var unknown = UnknownOptions(line);
        if (unknown.Count > 0)
            return [.. unknown.Select(option => $"unknown option {option}{Suggestion(option, line)}")];
        if (line.Errors.Count == 0)
            return [];
        if (line.UnmatchedTokens.Count > 0)
            return [.. line.UnmatchedTokens.Select(token => $"one argument too many: {token}")];
        return [.. line.Errors.Select(fault => Reworded(fault, command)).Distinct()];
    }

    /// <summary>The command as it is typed, such as <c>llmpipe run</c>.</summary>
    public static string Path(Command command) =>
        command.Parents.OfType<Command>().FirstOrDefault() is { } parent ? $"{Path(parent)} {command.Name}" : "llmpipe";

    // A token that looks like an option but ended up as an argument, or nowhere. What stands after "--" is an argument on purpose.
    private static List<string> UnknownOptions(ParseResult line)
    {
        var loose = line.CommandResult.Children.OfType<ArgumentResult>().SelectMany(argument => argument.Tokens).Select(token => token.Value)
            .Concat(line.UnmatchedTokens).ToHashSet(StringComparer.Ordinal);
        return [.. line.Tokens.TakeWhile(token => token.Type != TokenType.DoubleDash).Select(token => token.Value)
            .Where(value => value.Length > 1 && value[0] == '-' && loose.Contains(value)).Select(value => value.Split('=', 2)[0]).Distinct()];
    }

    private static string Reworded(ParseError fault, Command command) => fault.SymbolResult switch
    {
        ArgumentResult { Parent: CommandResult, Tokens.Count: 0 } argument when argument.Argument.Arity.MinimumNumberOfValues > 0 =>
            $"{argument.Argument.HelpName ?? argument.Argument.Name} is missing",
        _ => fault.Message.Replace("System.Int32", "a whole number", StringComparison.Ordinal)
            .Replace("System.Double", "a number", StringComparison.Ordinal)
            .Replace($" for command: '{command.Name}'.", "", StringComparison.Ordinal)
            .TrimEnd('.'),
    };

    private static string Suggestion(string option, ParseResult line)
    {
        var known = line.CommandResult.Command.Options.Where(o => !o.Hidden).SelectMany(o => o.Aliases.Prepend(o.Name)).Where(name => name.StartsWith("--", StringComparison.Ordinal));
        var nearest = known.Select(name => (name, distance: RowNames.EditsBetween(option, name))).OrderBy(pair => pair.distance).FirstOrDefault();
        return nearest is (not null, <= 2) ? $"; did you mean {nearest.name}?" : "";
    }
}
